/** How an attempt ended: what the system says of the process, and what is known beside it. */
import type { ChildEnd, SignalName } from '../command/index.js'
import type { JobEnding } from '../schedulers/index.js'
import { inSeconds } from './in-seconds.js'

/** Those for which there may be another attempt, each with a budget of its own. */
export const retried = [
  'failed',
  'out-of-memory',
  'timed-out',
  'preempted',
  'never-started',
  'hung',
  /** The job itself asked for another attempt, by its exit status. */
  'requeue',
] as const

export type Retried = (typeof retried)[number]
export type Ending = 'done' | 'stopped' | Retried

/** What this ckpt did to end the attempt. */
export type Cause =
  /** A signal for ckpt that ends it all. */
  | { readonly kind: 'signal'; readonly signal: SignalName }
  /** `ckpt stop`. */
  | { readonly kind: 'stop'; readonly sent: SignalName | null }
  /** Nothing more to gain: early stopping. `sent` is the signal that asked; null for a stop file. */
  | { readonly kind: 'enough'; readonly why: string; readonly sent: SignalName | null }
  | { readonly kind: 'stall'; readonly seconds: number }
  /** The scheduler's warning that the time limit is near. */
  | { readonly kind: 'warning'; readonly signal: SignalName }
  /** The scheduler ends the job: what its signals do to the command says nothing of the command. */
  | { readonly kind: 'scheduler'; readonly title: string; readonly ending: JobEnding }
  | { readonly kind: 'simulated'; readonly ending: Retried }

export interface Facts {
  readonly end: ChildEnd
  /** Seconds. */
  readonly uptime: number
  /** A new whole checkpoint appeared while it ran. */
  readonly progress: boolean
  /** It has read the checkpoint that it was started from; false: it had not read any, null: that is not known. */
  readonly hasRead: boolean | null
  /** Processes that the kernel killed because it was out of memory: of its control group meanwhile, of the machine just now. */
  readonly oomKills: { readonly group: number; readonly machine: number }
  /** Null: it ended by itself, or somebody else ended it. */
  readonly cause: Cause | null
}

export interface Rules {
  /**
   * Seconds. What fails sooner, without a new checkpoint and before it is seen to read its own, never started; and what
   * is known not to have read any, however late.
   */
  readonly minUptime: number
  /** Exit statuses by which a job asks to be put back into the queue. */
  readonly requeueOn: ReadonlySet<number>
}

export interface Judgement {
  readonly ending: Ending
  /** For people: `exit status 1`, `killed by SIGKILL`. */
  readonly why: string
}

/** As shells say them, 128 + N (signal(7), x86 and ARM). */
const numbers: Readonly<Record<SignalName, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
}
export const killNumber = 9
const cpuLimitNumber = 24

/** A person's; then those by which a system takes a machine back. Any other (SIGSEGV, SIGABRT) is the job's own fault. */
const byHand: ReadonlySet<number> = new Set([numbers.SIGINT, numbers.SIGQUIT])
const fromOutside: ReadonlySet<number> = new Set([numbers.SIGHUP, numbers.SIGTERM, killNumber])

/** coreutils' `timeout` exits with it when the time was over. */
const timeoutStatus = 124

export function classify(facts: Facts, rules: Rules): Judgement {
  const { end, cause } = facts
  if (end.kind === 'unstarted') return { ending: 'never-started', why: describeEnd(end) }
  const why = describeEnd(end)
  if (cause !== null) return byCause(cause, why, end)
  if (end.kind === 'exited' && end.status === 0) return { ending: 'done', why }
  return byEnd(facts, rules, why)
}

function byCause(cause: Cause, why: string, end: ChildEnd): Judgement {
  switch (cause.kind) {
    case 'signal':
      return { ending: 'stopped', why: `${cause.signal}, then ${why}` }
    case 'stop':
      return { ending: 'stopped', why: `ckpt stop, then ${why}` }
    case 'enough': {
      const ending = hasComplied(end, cause.sent) ? 'done' : 'failed'
      return { ending, why: `${cause.why}; ${why}` }
    }
    case 'stall':
      return { ending: 'hung', why: `no activity for ${inSeconds(cause.seconds)}, then ${why}` }
    case 'warning':
      return { ending: 'timed-out', why: `${cause.signal} warned of the time limit, then ${why}` }
    case 'scheduler': {
      const { ending, what } = ofScheduler[cause.ending]
      return { ending, why: `${cause.title} ${what}, then ${why}` }
    }
    case 'simulated':
      return { ending: cause.ending, why: `simulated; ${why}` }
  }
}

const ofScheduler: Readonly<Record<JobEnding, { readonly ending: Ending; readonly what: string }>> = {
  requeued: { ending: 'preempted', what: 'puts the job back into the queue' },
  preempted: { ending: 'preempted', what: 'gives its place to another job' },
  'time-limit': { ending: 'timed-out', what: 'ended the job at its time limit' },
  cancelled: { ending: 'stopped', what: 'cancelled the job' },
}

/** It went well, or died of the very signal that asked it to stop. */
export function hasComplied(end: ChildEnd, sent: SignalName | null): boolean {
  if (end.kind === 'exited' && end.status === 0) return true
  if (sent === null) return false
  return end.kind === 'killed' ? end.name === sent : signalOf(end) === numbers[sent]
}

function byEnd(facts: Facts, { minUptime, requeueOn }: Rules, why: string): Judgement {
  const { end, uptime, progress, hasRead, oomKills } = facts
  const signal = signalOf(end)
  if (end.kind === 'exited' && requeueOn.has(end.status)) return { ending: 'requeue', why }
  if (isOutOfMemory(signal, oomKills)) return { ending: 'out-of-memory', why: `${why}; the system was out of memory` }
  if (signal === cpuLimitNumber || (end.kind === 'exited' && end.status === timeoutStatus))
    return { ending: 'timed-out', why }
  if (signal !== null && byHand.has(signal)) return { ending: 'stopped', why }
  if (signal !== null && fromOutside.has(signal)) return { ending: 'preempted', why }
  if (progress || hasRead === true) return { ending: 'failed', why }
  if (uptime < minUptime) return { ending: 'never-started', why }
  return hasRead === false
    ? { ending: 'never-started', why: `${why}; it had not read its checkpoint` }
    : { ending: 'failed', why }
}

/**
 * A kill in the job's own group may have hit one of its workers, of which it then died with a status of its own. One
 * elsewhere on the machine (the job may have gone to another group) says something of a SIGKILL alone.
 */
function isOutOfMemory(signal: number | null, { group, machine }: Facts['oomKills']): boolean {
  return group > 0 || (machine > 0 && signal === killNumber)
}

/** Its end is a signal's work. */
export function wasKilled(end: ChildEnd): boolean {
  return signalOf(end) !== null
}

/** The number of the signal that ended it, or that a shell in between says ended its command; null for none. */
export function signalOf(end: ChildEnd): number | null {
  if (end.kind === 'killed') return end.signal
  return end.kind === 'exited' && end.status > 128 && end.status < 128 + 65 ? end.status - 128 : null
}

const unstarted: Readonly<Record<string, string>> = { ENOENT: 'no such command', EACCES: 'not executable' }

function describeEnd(end: ChildEnd): string {
  if (end.kind === 'killed') return `killed by ${end.name}`
  return end.kind === 'exited'
    ? `exit status ${end.status}`
    : (unstarted[end.errno] ?? `could not be started (${end.errno})`)
}
