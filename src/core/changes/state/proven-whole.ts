/** Which checkpoints were read to their last byte and found whole, so that none has to be read again for that. */
import { join } from 'node:path'
import { isJsonObject, type JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { isNameInside } from './name-inside.js'
import { readRecordOrNull, tellMisfit, writeRecord } from './record.js'
import { isCheckpointName, isCount, isList, isTime } from './schema.js'
import { makeState } from './make-state.js'
import type { StateFolder } from './state-folder.js'

/** A file as it was when it was read. */
export interface ProvenFile {
  /** Relative to its checkpoint. */
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Unix seconds. */
  readonly modified: number
}

export interface Proven {
  /** The checkpoint's, relative to its run. */
  readonly name: string
  /** Sorted by name. */
  readonly files: readonly ProvenFile[]
}

const fileName = 'proven.json'

/** By the checkpoint's name. What cannot be read back was not proven: it costs a second reading and no more. */
export async function readProven(storage: ReadStorage, state: StateFolder): Promise<ReadonlyMap<string, Proven>> {
  const path = join(state.path, fileName)
  const record = await readRecordOrNull(storage, path)
  if (record === null) return new Map()
  const list = record.get('proven')
  const proven = isList(list) ? list.map((one) => (isJsonObject(one) ? toProven(one) : null)) : [null]
  if (proven.includes(null))
    tellMisfit(storage, path, 'a name, number or list is not one of a checkpoint that was read')
  return new Map(proven.flatMap((one) => (one === null ? [] : [[one.name, one]])))
}

/** In place of all that was remembered. Throws StorageError. */
export async function writeProven(storage: Storage, state: StateFolder, proven: readonly Proven[]): Promise<void> {
  await makeState(storage, state)
  await writeRecord(storage, join(state.path, fileName), { version: 1, proven })
}

/** True when the files are those that were read: the same names, lengths and times. */
export function isSameProof(a: Proven | undefined, b: Proven): boolean {
  if (a?.files.length !== b.files.length) return false
  return a.files.every(({ name, size, modified }, index) => {
    const other = b.files[index]
    return name === other?.name && size === other.size && modified === other.modified
  })
}

function toProven(record: JsonObject): Proven | null {
  const [name, list] = ['name', 'files'].map((key) => record.get(key))
  if (!isCheckpointName(name) || !isList(list)) return null
  const files: ProvenFile[] = []
  for (const one of list) {
    const [file, size, modified] = isJsonObject(one) ? ['name', 'size', 'modified'].map((key) => one.get(key)) : []
    // A checkpoint that is one file has no name within itself.
    if ((file !== '' && !isNameInside(file)) || !isCount(size) || !isTime(modified)) return null
    files.push({ name: file, size, modified })
  }
  return { name, files }
}
