/** A file for people, text or a picture, whole or not at all. */
import { ensureCanPublish, publishFile, temporaryPath } from '../../tensors/write/index.js'
import type { Storage } from '../../storage/storage.js'

/** `path` is absolute. Throws CkptError `refused` when something is there that may not be replaced; StorageError. */
export async function writeText(
  storage: Storage,
  path: string,
  content: string | Uint8Array,
  force: boolean,
): Promise<void> {
  await ensureCanPublish(storage, path, force)
  const temporary = temporaryPath(path)
  const file = await storage.create(temporary)
  try {
    await file.write(typeof content === 'string' ? new TextEncoder().encode(content) : content)
    await file.sync()
  } catch (error) {
    await file.close()
    await storage.unlink(temporary)
    throw error
  }
  await file.close()
  await publishFile(storage, temporary, path, force)
}
