/** What the files of whole checkpoints were when `verify --record` read them. */
import { join } from 'node:path'
import { isJsonObject, type JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { isNameInside } from './name-inside.js'
import { neutralName } from './neutral-name.js'
import { badRecord, readRecord, writeRecord } from './record.js'
import { isCheckpointName, isCount, isList, isTime } from './schema.js'
import { makeInside } from './make-state.js'
import type { StateFolder } from './state-folder.js'

/** One file's bytes. */
export interface FileSum {
  readonly size: number
  /** SHA-256 in lower-case hexadecimal digits. */
  readonly sha256: string
}

export interface Checksums {
  /** The checkpoint's, relative to its run. */
  readonly name: string
  /** Unix seconds. */
  readonly time: number
  /** By name, relative to the checkpoint. */
  readonly files: ReadonlyMap<string, FileSum>
}

const folder = 'checksums'

/** What was recorded of these checkpoints, by name. Throws CkptError `damaged`, StorageError. */
export async function readChecksums(
  storage: ReadStorage,
  state: StateFolder,
  names: readonly string[],
): Promise<ReadonlyMap<string, Checksums>> {
  const found = new Map<string, Checksums>()
  const [any] = await storage.stat([join(state.path, folder)])
  if (any?.ok === false && any.error.code === 'not-found') return found
  for (const name of names) {
    const sums = await readOne(storage, state, name)
    if (sums !== null) found.set(name, sums)
  }
  return found
}

async function readOne(storage: ReadStorage, state: StateFolder, name: string): Promise<Checksums | null> {
  const path = pathOf(state, name)
  const record = await readRecord(storage, path)
  if (record === null) return null
  const sums = toChecksums(record)
  if (sums?.name !== name) throw badRecord(path, `no checksums of ${JSON.stringify(name)}`)
  return sums
}

/** In place of what was recorded of it before. Throws StorageError. */
export async function writeChecksums(storage: Storage, state: StateFolder, sums: Checksums): Promise<void> {
  await makeInside(storage, state, folder)
  const files = [...sums.files].map(([name, sum]) => ({ name, ...sum }))
  await writeRecord(storage, pathOf(state, sums.name), { version: 1, name: sums.name, time: sums.time, files })
}

function pathOf(state: StateFolder, name: string): string {
  return join(state.path, folder, `${neutralName(name)}.json`)
}

function toChecksums(record: JsonObject): Checksums | null {
  const [name, time, list] = ['name', 'time', 'files'].map((key) => record.get(key))
  if (!isCheckpointName(name) || !isTime(time) || !isList(list)) return null
  const files = new Map<string, FileSum>()
  for (const one of list) {
    const [file, size, sha256] = isJsonObject(one) ? ['name', 'size', 'sha256'].map((key) => one.get(key)) : []
    if (!isNameInside(file) || !isCount(size)) return null
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return null
    files.set(file, { size, sha256 })
  }
  return { name, time, files }
}
