/** A job's processes: started together, and signalled all together. */
import { spawn, type StdioOptions } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { constants } from 'node:os'
import type { ChildEnd } from '../core/jobs/command/index.js'
import type { JobProcess, StartJob } from '../core/jobs/supervise/index.js'
import { keepingHangup } from './hangup.js'
import { startOf } from './process-identity.js'
import { spawned } from './spawned.js'
import { hasSignal } from './signal-set.js'
import { membersOf, type Member } from './job-members.js'
import { openToRead } from './open-files.js'

/**
 * On a terminal the job stays in our process group, for only the foreground group may read from the terminal, and
 * Ctrl-C and Ctrl-Z reach all of it. Elsewhere it gets a session of its own, so that its group is exactly the job.
 * `CKPT_JOB` in its environment marks its processes wherever they go.
 */
export function startJob(isForeground: () => boolean, stdio: StdioOptions): StartJob {
  return async (command, args, environment) => {
    const detached = !isForeground()
    const id = randomUUID()
    const [program, ...rest] = keepingHangup(command, args)
    const env = { ...environment, CKPT_JOB: id }
    const child = spawned(() => spawn(program, rest, { stdio, env, detached }))
    if (typeof child === 'string') return unstarted(detached, Promise.resolve({ kind: 'unstarted', errno: child }))
    const ended = new Promise<ChildEnd>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        if (child.pid === undefined) resolve({ kind: 'unstarted', errno: error.code ?? 'unknown' })
      })
      child.once('exit', (status, signal) => resolve(endOf(status, signal)))
    })
    const { pid } = child
    return pid === undefined ? unstarted(detached, ended) : new Job(pid, detached, `CKPT_JOB=${id}`, ended)
  }
}

function unstarted(isApart: boolean, ended: Promise<ChildEnd>): JobProcess {
  return {
    pid: null,
    started: null,
    isApart,
    send: () => undefined,
    sendIfCaught: () => false,
    remains: () => false,
    filesOpenToRead: () => null,
    ended,
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
    readonly isApart: boolean,
    private readonly mark: string,
    readonly ended: Promise<ChildEnd>,
  ) {
    this.started = startOf(pid)
    void ended.then(() => (this.isOver = true))
  }

  send(signal: NodeJS.Signals): void {
    // Looked for first: those whose parent dies of it are nobody's descendants.
    const members = this.members() ?? []
    if (this.isApart) sendTo(-this.pid, signal)
    else if (!this.isOver) sendTo(this.pid, signal)
    for (const { pid, group } of members) {
      if (pid !== this.pid && (!this.isApart || group !== this.pid)) sendTo(pid, signal)
    }
  }

  sendIfCaught(signal: NodeJS.Signals): boolean {
    const catching = (this.members() ?? []).filter(({ pid }) => catches(pid, signal))
    return catching.filter(({ pid }) => sendTo(pid, signal)).length > 0
  }

  remains(): boolean | null {
    const members = this.members()
    if (members !== null) return members.length > 0
    if (this.isApart) return sendTo(-this.pid, 0)
    return this.isOver ? null : true
  }

  filesOpenToRead(): readonly string[] | null {
    return this.members()?.flatMap(({ pid }) => openToRead(pid)) ?? null
  }

  private members(): Member[] | null {
    const { pid, isOver, isApart, mark } = this
    return membersOf({ root: isOver ? null : pid, session: isApart ? pid : null, mark })
  }
}

/** By a handler, or by waiting for it while it is blocked (srun, `sigwait`, a signalfd). */
function catches(pid: number, signal: NodeJS.Signals): boolean {
  return hasSignal(pid, 'SigCgt', signal) || hasSignal(pid, 'SigBlk', signal)
}

/** False when nobody is there to get it. */
function sendTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
