/** Checkpoints from which several starts made no progress: marked, not moved. Jobs start from the one before. */
import { join } from 'node:path'
import { isJsonObject, type JsonObject } from '../../formats/text/json.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { badRecord, readRecord, unlinkIfThere, writeRecord } from './record.js'
import { isCheckpointName, isCount, isList, isTime } from './schema.js'
import { makeState } from './make-state.js'
import type { StateFolder } from './state-folder.js'

export interface SetAside {
  /** The checkpoint's, relative to its run. */
  readonly name: string
  /** Unix seconds: what it says itself, else its file's time. One saved anew under the name is another. */
  readonly saved: number | null
  /** Starts from it that saved no new checkpoint. */
  readonly starts: number
  /** Unix seconds: when it was marked. */
  readonly time: number
}

const fileName = 'set-aside.json'

/** Throws CkptError `damaged`, StorageError. */
export async function readSetAside(storage: ReadStorage, state: StateFolder): Promise<readonly SetAside[]> {
  const path = join(state.path, fileName)
  const record = await readRecord(storage, path)
  const list = record?.get('checkpoints') ?? []
  if (!isList(list)) throw badRecord(path, '"checkpoints" is not a list')
  return list.map((one) => {
    const mark = isJsonObject(one) ? toSetAside(one) : null
    if (mark === null) throw badRecord(path, 'an entry without the name of a checkpoint')
    return mark
  })
}

function toSetAside(one: JsonObject): SetAside | null {
  const [name, saved, starts, time] = ['name', 'saved', 'starts', 'time'].map((key) => one.get(key))
  if (!isCheckpointName(name)) return null
  return {
    name,
    saved: isTime(saved) ? saved : null,
    starts: isCount(starts) ? starts : 0,
    time: isTime(time) ? time : 0,
  }
}

/** Under the run's lock only. None: no file. Throws StorageError. */
export async function writeSetAside(storage: Storage, state: StateFolder, marks: readonly SetAside[]): Promise<void> {
  const path = join(state.path, fileName)
  if (marks.length === 0) return unlinkIfThere(storage, path)
  await makeState(storage, state)
  await writeRecord(storage, path, { version: 1, checkpoints: marks })
}
