/** A job's processes: started with our streams, and signalled all together. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { ChildEnd } from '../core/jobs/index.js'
import type { JobProcess, StartJob } from '../core/supervise/index.js'
import { startOf } from '../process-identity.js'
import { descendantsOf } from './descendants.js'

/**
 * On a terminal the job stays in our process group, for only the foreground group may read from the terminal, and
 * Ctrl-C and Ctrl-Z reach all of it. Elsewhere it gets a session of its own, so that its group is exactly the job.
 */
export function startJob(isForeground: () => boolean): StartJob {
  return async (command, args, environment) => {
    const detached = !isForeground()
    const child = spawn(command, args, { stdio: 'inherit', env: { ...environment }, detached })
    const ended = new Promise<ChildEnd>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        if (child.pid === undefined) resolve({ kind: 'unstarted', errno: error.code ?? 'unknown' })
      })
      child.once('exit', (status, signal) => resolve(endOf(status, signal)))
    })
    const { pid } = child
    if (pid === undefined) return { pid: null, started: null, send: () => undefined, remains: () => false, ended }
    return new Job(pid, detached, ended)
  }
}

function endOf(status: number | null, signal: NodeJS.Signals | null): ChildEnd {
  if (signal !== null) return { kind: 'killed', signal: constants.signals[signal], name: signal }
  return { kind: 'exited', status: status ?? 1 }
}

class Job implements JobProcess {
  readonly started: string | null
  /** The first process has been waited for: its number may belong to another one. */
  private isOver = false

  constructor(
    readonly pid: number,
    private readonly hasOwnGroup: boolean,
    readonly ended: Promise<ChildEnd>,
  ) {
    this.started = startOf(pid)
    void ended.then(() => (this.isOver = true))
  }

  send(signal: NodeJS.Signals): void {
    // Looked for first: those whose parent has died meanwhile are nobody's descendants.
    const others = this.isOver ? [] : descendantsOf(this.pid)
    if (this.hasOwnGroup) sendTo(-this.pid, signal)
    else if (!this.isOver) sendTo(this.pid, signal)
    for (const { pid, group } of others) if (!this.hasOwnGroup || group !== this.pid) sendTo(pid, signal)
  }

  /** What is left of it in a group that others share is nobody's descendant. */
  remains(): boolean | null {
    if (this.hasOwnGroup) return sendTo(-this.pid, 0)
    return this.isOver ? null : true
  }
}

/** False when nobody is there to get it. */
function sendTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
