/** Who may be writing to a run, as far as this machine and the run's own records can tell. */
import type { Writers } from '../core/runs/index.js'
import { holderOf, jobLock, stateFolderOf, type LockOptions } from '../core/changes/state/index.js'
import type { Storage } from '../core/storage/storage.js'
import { heldForWriting } from '../machine/open-files.js'

export async function writersOf(
  storage: Storage,
  run: string,
  stateDirectory: string | undefined,
  lock: LockOptions,
): Promise<Writers> {
  const state = await stateFolderOf(storage, run, stateDirectory)
  return { holding: heldForWriting, job: await holderOf(storage, state, { ...lock, name: jobLock }) }
}
