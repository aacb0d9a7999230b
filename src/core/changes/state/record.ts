/** Small JSON files in the state folder: a reader sees the old one or the new one, and never half of one. */
import { dirname } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import { isJsonObject, parseJson, type JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'

/** Bytes. A list of ten thousand pins has less. */
const largestRecord = 16 << 20

/** What draws the new file has until it is whole; one that a kill left is overwritten by the next. */
export const draftSuffix = '.new'

/**
 * Puts the record (plain JSON data) under its path and makes that durable: written beside, synced, renamed. Only the
 * holder of the run's lock writes. Throws StorageError; then the old one stands.
 */
export async function writeRecord(storage: Storage, path: string, value: unknown): Promise<void> {
  const draft = path + draftSuffix
  await unlinkIfThere(storage, draft)
  try {
    const file = await storage.create(draft)
    try {
      await file.write(new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`))
      await file.sync()
    } finally {
      await file.close()
    }
    await storage.rename(draft, path)
  } catch (error) {
    if (error instanceof CkptError) await quietly(() => unlinkIfThere(storage, draft))
    throw error
  }
  await storage.syncDirectory(dirname(path))
}

/** What reading a record and telling of it takes. */
export interface RecordReader extends Pick<ReadStorage, 'read'> {
  readonly custody: Pick<ReadStorage['custody'], 'warn'>
}

/** Null when it is not there. Throws CkptError `damaged` when it is not a JSON object, and StorageError. */
export async function readRecord(storage: RecordReader, path: string): Promise<JsonObject | null> {
  const [text] = await storage.read([path], largestRecord)
  if (text?.ok === true) return parseRecord(text.value, path)
  if (text === undefined || text.error.code === 'not-found') return null
  throw text.error.errno === 'EFBIG' ? badRecord(path, text.error.message, text.error) : text.error
}

/** Null also for one that cannot be read, which is reported. */
export async function readRecordOrNull(storage: RecordReader, path: string): Promise<JsonObject | null> {
  try {
    return await readRecord(storage, path)
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    storage.custody.warn(`${error.message}; it is left out`)
    return null
  }
}

/** Of a record that is left out because it is not what ckpt writes there. */
export function tellMisfit(storage: RecordReader, path: string, why: string): null {
  storage.custody.warn(`${path}: no record that ckpt can have made (${why}); it changes nothing`)
  return null
}

function parseRecord(bytes: Uint8Array, path: string): JsonObject {
  try {
    const value = parseJson(bytes)
    if (isJsonObject(value)) return value
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    throw badRecord(path, error.message, error)
  }
  throw badRecord(path, 'no JSON object')
}

/** What ckpt remembers there cannot be believed. */
export function badRecord(path: string, why: string, cause?: unknown): CkptError {
  return new CkptError('damaged', `${path}: ckpt cannot read what it remembers there: ${why}`, {
    hint: 'correct the file, or move it away: what it holds is then forgotten',
    cause,
  })
}

export async function unlinkIfThere(storage: Storage, path: string): Promise<void> {
  try {
    await storage.unlink(path)
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== 'not-found') throw error
  }
}

/** For what is tidied up while a failure is already on its way. */
export async function quietly(call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
  }
}
