/** The lock of a run, for what cannot be done without a state folder. */
import { StorageError } from '../../errors.js'
import { acquireLock, refuseWithout, type LockOptions, type StateFolder } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'

/** Like `withLock`, for what cannot be done without a state folder: refused (exit 5) where it cannot be written. */
export async function holding<T>(
  storage: Storage,
  state: StateFolder,
  options: LockOptions,
  doing: string,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await acquireLock(storage, state, options).catch((error: unknown) => {
    throw error instanceof StorageError ? refuseWithout(state, doing, error) : error
  })
  try {
    return await work()
  } finally {
    await lock.release()
  }
}
