/** How a command locks the run that it changes, and waits while another process has the lock. */
import { interruptible } from './output/progress.js'
import { stateFolderOf, type LockOptions, type Owner } from '../core/changes/state/index.js'
import { parseAge } from '../core/choosing/retention/index.js'
import type { CkptError } from '../core/errors.js'
import type { StateLocation } from '../core/runs/index.js'
import type { Storage } from '../core/storage/storage.js'
import { every, wait as pause } from '../machine/clock.js'
import { processes } from '../machine/process-identity.js'

/** Who changes the run. */
export interface Changer {
  /** As it is typed: `trash empty`. */
  readonly command: string
  readonly note: (text: string) => void
  readonly alert: (text: string) => void
  /** Unix seconds. */
  readonly now: () => number
}

/** This process, as the lock and the journal name it. */
export function ownerFor({ command }: Changer): Owner {
  return processes(`ckpt ${command}`.trim()).self
}

/** The lock is waited for as long as `wait` says (`30s`), until `signal` ends it. Throws CkptError `usage`. */
export const lockOptions =
  ({ command, note, now }: Changer) =>
  (wait: string, state: string | undefined, signal?: AbortSignal): LockOptions & StateLocation => ({
    processes: processes(`ckpt ${command}`.trim()),
    now,
    wait: pause,
    every,
    patience: parseAge('wait', wait),
    onWait: (holder) => note(`waiting for ${holder}, which is changing the run`),
    stateDirectory: state,
    ...(signal === undefined ? {} : { signal }),
  })

/** Runs `work` under the run's lock; where the state folder cannot be written, without one, which is reported. */
export const withRunLock =
  (changer: Changer, storage: () => Storage) =>
  async <T>(
    run: string,
    { wait, state }: { readonly wait: string; readonly state?: string | undefined },
    work: () => Promise<T>,
  ): Promise<T> => {
    const { guardRun } = await import('../core/changes/disposal/guard-run.js')
    guardRun(storage(), run)
    const folder = await stateFolderOf(storage(), run, state)
    const onUnlocked = ({ code, message }: CkptError) => {
      // The folder of the run has vanished: what is to be done there says so.
      if (code === 'not-found') return
      changer.alert(`no lock on the run, for ckpt's state cannot be written: ${message}`)
    }
    const { withLock } = await import('../core/changes/state/lock.js')
    const { putBackGroups } = await import('../core/changes/disposal/groups.js')
    return interruptible((signal) =>
      withLock(storage(), folder, { ...lockOptions(changer)(wait, state, signal), onUnlocked }, async () => {
        await putBackGroups(storage(), run, folder)
        return work()
      }),
    )
  }
