/** A run's state folder, made when it is needed and removed when it is empty; what `--state` led elsewhere is named. */
import { join } from 'node:path'
import { CkptError, isFull, StorageError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { forgetWhatIsGone, nameElsewhere } from './elsewhere.js'
import { makeDirectories, removeEmptyDirectories } from './state-directories.js'
import type { StateFolder } from './state-folder.js'

/** Makes the state folder. Throws StorageError where that cannot be. */
export async function makeState(storage: Storage, state: StateFolder): Promise<void> {
  await makeDirectories(storage, state)
  await nameElsewhere(storage, state, 'also')
}

/** Makes the state folder and one folder in it; gives the latter's path. Throws StorageError where that cannot be. */
export async function makeInside(storage: Storage, state: StateFolder, name: string): Promise<string> {
  const inside = join(state.path, name)
  await makeDirectories(storage, state, inside)
  await nameElsewhere(storage, state, 'also')
  return inside
}

/**
 * What `makeInside` and its like throw, as the refusal of something that cannot be done without a state folder; `doing`
 * is a verb.
 */
export function refuseWithout(state: StateFolder, doing: string, error: CkptError): CkptError {
  const isNoRoom = error instanceof StorageError && isFull(error.errno)
  const why = isNoRoom
    ? `no space left to record it in ${state.path}`
    : `it cannot be recorded in ${state.path}: ${error.message}`
  return new CkptError('refused', `cannot ${doing}: ${why}`, {
    hint: isNoRoom
      ? 'make some room first: ckpt prune and ckpt rm need no record to remove checkpoints'
      : 'name a folder that can be written: --state DIR, or CKPT_STATE in the environment',
    cause: error,
  })
}

/** Removes what is empty of the folders `names` in the state folder and of the state folder itself. Never fails. */
export async function removeEmpty(storage: Storage, state: StateFolder, ...names: readonly string[]): Promise<void> {
  await removeEmptyDirectories(storage, [...names.map((name) => join(state.path, name)), ...state.own.toReversed()])
  await forgetWhatIsGone(storage, state)
}
