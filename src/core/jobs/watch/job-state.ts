/** How the job of a run stands, by what its journal says and what lives. */
import { attemptsOf, type JournalEntry, type StartEntry } from '../../changes/journal/index.js'

export interface JobState {
  /**
   * `running`; `waiting` to be started again; `queued` again at its scheduler; `ended`; `unseen`: it was started, is not
   * there any more, and nobody saw it end.
   */
  readonly state: 'running' | 'waiting' | 'queued' | 'ended' | 'unseen'
  /** From 1. */
  readonly attempt: number
  /** Unix seconds: when it started, or ended. */
  readonly since: number
  /** The checkpoint that it resumed from; null: from scratch. */
  readonly from: string | null
  readonly host: string
  /** How it ended, in a word and for people: null while it has not. */
  readonly ending: string | null
  readonly why: string | null
}

export interface JobFacts {
  /** Who holds the run's job lock, in words; null: nobody who lives. */
  readonly holder: string | null
  /** True for a process of this machine that is known to live. */
  readonly lives: (start: StartEntry) => boolean
}

/** Null where `ckpt run` has started none. */
export function jobStateOf(entries: readonly JournalEntry[], { holder, lives }: JobFacts): JobState | null {
  const last = attemptsOf(entries).at(-1)
  if (last === undefined) return null
  const { start, end } = last
  const facts = { attempt: start.attempt, from: start.checkpoint, host: start.host }
  if (end === null) {
    const state = holder !== null || lives(start) ? 'running' : 'unseen'
    return { state, ...facts, since: start.time, ending: null, why: null }
  }
  const state = end.next === 'requeue' ? 'queued' : end.next === 'restart' && holder !== null ? 'waiting' : 'ended'
  return { state, ...facts, since: end.time, ending: end.ending, why: end.why }
}

/** True where there is something new to tell. */
export function hasJobChanged(before: JobState | null, after: JobState | null): boolean {
  return before?.state !== after?.state || before?.attempt !== after?.attempt || before?.since !== after?.since
}
