/**
 * Shards whose names the old index has too. Of several files none can be replaced at once, but an index can: first one
 * takes its place that names the new shards as they are called meanwhile, and at the end the one that is to stay.
 * Whenever it ends, the index that is there names shards that are all there, all of them old or all of them new.
 */
import { dirname, extname } from 'node:path'
import { StorageError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { linkOrCopy, publishFile, temporaryPath } from './publish-file.js'

export interface NewShards {
  /** Absolute; written and synced. */
  readonly index: { readonly path: string; readonly draft: string }
  readonly shards: readonly { readonly path: string; readonly draft: string }[]
  /** The index with these names of the shards in its order, as bytes. */
  readonly indexFor: (paths: readonly string[]) => Uint8Array
}

/** Afterwards no draft is there. Throws StorageError; the old model is whole then, or the new one under other names. */
export async function replaceShards(storage: Storage, { index, shards, indexFor }: NewShards): Promise<void> {
  // Readers go by the extension.
  const meanwhile = shards.map(({ path, draft }) => `${draft}${extname(path)}`)
  const removeMeanwhile = async () => {
    for (const path of meanwhile) await storage.unlink(path).catch(() => undefined)
  }
  try {
    for (const [at, { draft }] of shards.entries()) await linkOrCopy(storage, draft, meanwhile[at] ?? '')
    await storage.syncDirectory(dirname(index.path))
    await publishBytes(storage, indexFor(meanwhile), index.path)
  } catch (error) {
    await removeMeanwhile()
    throw error
  }
  try {
    await storage.syncDirectory(dirname(index.path))
    for (const { path, draft } of shards) await storage.rename(draft, path)
    await storage.syncDirectory(dirname(index.path))
    await publishFile(storage, index.draft, index.path, true)
  } catch (error) {
    throw unfinished(index.path, error)
  }
  await removeMeanwhile()
}

async function publishBytes(storage: Storage, bytes: Uint8Array, path: string): Promise<void> {
  const draft = temporaryPath(path)
  try {
    const handle = await storage.create(draft)
    try {
      await handle.write(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await storage.rename(draft, path)
  } catch (error) {
    await storage.unlink(draft).catch(() => undefined)
    throw error
  }
}

function unfinished(index: string, error: unknown): unknown {
  if (!(error instanceof StorageError)) return error
  const message = `${index}: is the new model and whole, but its shards still have other names: ${error.message}`
  return new StorageError(index, error.errno, message, {
    cause: error,
    hint: 'to give them their names, do the same again',
  })
}
