/** A process as a lock sees it, and time that tests move. */
import type { LockOptions, Owner, Processes } from '../../../../src/core/changes/state/index.js'

export function owner(more: Partial<Owner> = {}): Owner {
  return { host: 'here', pid: 1, started: '100', boot: 'b', namespace: 'n', command: 'ckpt test', ...more }
}

/** `running`: the starts of the processes that there are, by pid. */
export function machine(self: Owner, running: ReadonlyMap<number, string> = new Map()): Processes {
  const starts = new Map([[self.pid, self.started ?? ''], ...running])
  return { self, startOf: (pid) => starts.get(pid) ?? null, isOwnJob: () => true }
}

export function lockOptions(processes: Processes, more: Partial<LockOptions> = {}): LockOptions {
  let seconds = Date.now() / 1000
  return {
    processes,
    now: () => seconds,
    wait: async (milliseconds) => {
      seconds += milliseconds / 1000
    },
    every: () => () => undefined,
    patience: 1,
    ...more,
  }
}
