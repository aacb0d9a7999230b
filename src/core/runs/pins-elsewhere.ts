/**
 * What keeps pins in force that lie where `--state DIR` said: the record of pins beside the run names that folder, so
 * that a ckpt which is not told of it protects them too (protecting-pins.ts).
 */
import { CkptError, StorageError } from '../errors.js'
import {
  ownStateFolderOf,
  readPinRecord,
  stateFolderOf,
  writePins,
  type LockOptions,
  type StateFolder,
} from '../changes/state/index.js'
import type { Storage } from '../storage/storage.js'
import { holding } from './holding.js'

/**
 * Names the folder of `state` beside the run; where nothing can be written there, in the user's own state folder for
 * the run, which is reported. Under the lock of `state`. Gives what takes the name back, null where it was there before.
 * Throws CkptError `refused` where neither can be written, `damaged`.
 */
export async function nameElsewhere(
  storage: Storage,
  run: string,
  { path, moved = path }: StateFolder,
  options: LockOptions,
): Promise<(() => Promise<void>) | null> {
  const beside = await stateFolderOf(storage, run)
  // It was made meanwhile, if it had not been there: its real path is known now.
  const [resolved] = await storage.resolve([moved])
  const folder = resolved?.ok === true ? resolved.value : moved
  try {
    return await nameIn(storage, beside, folder, options)
  } catch (error) {
    if (!isUnwritable(error)) throw error
    return nameInOwn(storage, run, folder, { options, beside, error })
  }
}

/** Takes the name of the folder out of the records in `folders`. Throws CkptError `refused`, `damaged`. */
export async function forgetElsewhere(
  storage: Storage,
  moved: string,
  folders: readonly StateFolder[],
  options: LockOptions,
): Promise<void> {
  for (const folder of folders) {
    await changeElsewhere(storage, folder, options, (named) => named.delete(moved))
  }
}

async function nameInOwn(
  storage: Storage,
  run: string,
  folder: string,
  { options, beside, error }: { options: LockOptions; beside: StateFolder; error: CkptError },
) {
  const own = await ownStateFolderOf(storage, run)
  const unknown = `a ckpt without --state ${folder} would not know of the pin, for nothing can be written in ${beside.path}`
  const hint = 'make that folder one that can be written, or a state folder of your own (XDG_STATE_HOME)'
  if (own === null || own.path === beside.path) throw new CkptError('refused', unknown, { hint, cause: error })
  try {
    const takeBack = await nameIn(storage, own, folder, options)
    storage.custody.warn(`nothing can be written in ${beside.path}: only a ckpt of yours knows of pins in ${folder}`)
    return takeBack
  } catch (second) {
    if (!isUnwritable(second)) throw second
    throw new CkptError('refused', `${unknown}, nor in ${own.path}`, { hint, cause: second })
  }
}

async function nameIn(storage: Storage, state: StateFolder, folder: string, options: LockOptions) {
  const isNew = await changeElsewhere(storage, state, options, (named) => {
    if (named.has(folder)) return false
    named.add(folder)
    return true
  })
  return isNew ? () => forgetElsewhere(storage, folder, [state], options) : null
}

/** `change` tells whether there is anything to write: where there is not, no lock is taken. */
async function changeElsewhere(
  storage: Storage,
  state: StateFolder,
  options: LockOptions,
  change: (named: Set<string>) => boolean,
): Promise<boolean> {
  if (!change(new Set((await readPinRecord(storage, state)).elsewhere))) return false
  await holding(storage, state, options, 'where a pin lies', async () => {
    const { pins, elsewhere } = await readPinRecord(storage, state)
    const named = new Set(elsewhere)
    change(named)
    await writePins(storage, state, pins.values(), named)
  })
  return true
}

/** True for what the system refused, by `holding` or by a record. */
function isUnwritable(error: unknown): error is CkptError {
  return error instanceof StorageError || (error instanceof CkptError && error.cause instanceof StorageError)
}
