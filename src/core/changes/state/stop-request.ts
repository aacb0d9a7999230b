/** What `ckpt stop` leaves for the `ckpt run` that looks after a run's job, on whatever machine that is. */
import { join } from 'node:path'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { readRecordOrNull, tellMisfit, unlinkIfThere, writeRecord } from './record.js'
import { makeState } from './make-state.js'
import type { StateFolder } from './state-folder.js'

export type StopTime = 'now' | 'after-next-checkpoint'

const fileName = 'stop.json'

/** Null: nobody asked. */
export async function readStopRequest(storage: ReadStorage, state: StateFolder): Promise<StopTime | null> {
  const record = await readRecordOrNull(storage, join(state.path, fileName))
  if (record === null) return null
  const when = record.get('when')
  if (when === 'after-next-checkpoint' || when === 'now') return when
  return tellMisfit(storage, join(state.path, fileName), 'it says no time to stop')
}

/** Throws StorageError. */
export async function writeStopRequest(storage: Storage, state: StateFolder, when: StopTime): Promise<void> {
  await makeState(storage, state)
  await writeRecord(storage, join(state.path, fileName), { version: 1, when })
}

/** Throws StorageError. */
export async function forgetStopRequest(storage: Storage, state: StateFolder): Promise<void> {
  await unlinkIfThere(storage, join(state.path, fileName))
}
