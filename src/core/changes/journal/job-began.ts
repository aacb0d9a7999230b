/** What a run's journal knows of how its job began. */
import { attemptsOf } from './attempts.js'
import type { EndEntry, JournalEntry } from './entry.js'

/** The last start began without a checkpoint, and none was seen whole since. */
export interface Began {
  /** Unix seconds. */
  readonly startedAt: number
  /** How it ended; null where nobody was left to see it. */
  readonly ending: string | null
  /** Unix seconds; null likewise. */
  readonly endedAt: number | null
}

/** Endings of a job that no signal ended: what it had begun to save it saved. */
export const endedByItself: ReadonlySet<string> = new Set(['done', 'failed', 'never-started'])

/** Null where the last start began from a checkpoint, where one was seen whole since, or nothing is known. */
export function beganFromNothing(entries: readonly JournalEntry[]): Began | null {
  const last = attemptsOf(entries).at(-1)
  if (last?.start.checkpoint !== null) return null
  const since = entries.slice(firstOfItsStarts(entries, entries.lastIndexOf(last.start)))
  if (since.some(({ what }) => what === 'checkpoint')) return null
  const end = tellingEnd(since)
  return { startedAt: since[0]?.time ?? last.start.time, ending: end?.ending ?? null, endedAt: end?.time ?? null }
}

/** The only checkpoint that was seen whole since the job began from nothing, if any was. */
export interface FirstSave {
  /** Null: none was seen whole. */
  readonly name: string | null
  /** How the start from nothing ended; null where nobody was left to see it. */
  readonly end: EndEntry | null
}

/** The first save of a job that was killed right then: no start that read it got past it. */
export interface DoubtedFirst {
  readonly name: string
  /** Unix seconds: when the job was killed. */
  readonly endedAt: number
  /** That read it and failed. */
  readonly starts: number
}

/** Null where no start began from nothing, or several checkpoints were seen whole since. */
export function firstSaveIn(entries: readonly JournalEntry[]): FirstSave | null {
  const last = entries.findLastIndex((entry) => entry.what === 'start' && entry.checkpoint === null)
  if (last === -1) return null
  const since = entries.slice(firstOfItsStarts(entries, last))
  const names = new Set(since.flatMap((entry) => (entry.what === 'checkpoint' ? [entry.name] : [])))
  if (names.size > 1) return null
  const next = since.findIndex((entry) => entry.what === 'start' && entry.checkpoint !== null)
  const [name = null] = names
  return { name, end: tellingEnd(next === -1 ? since : since.slice(0, next)) }
}

/** What the other ranks of a job came to, as one that has just ended finds it in the journal. */
export interface OtherRanks {
  /** Unix seconds: when one of them was killed, and perhaps its save with it; null: none was. */
  readonly killedAt: number | null
  /** Some may still be there, and write. */
  readonly areRunning: boolean
}

/** `entries` as they are before our own end is among them. */
export function otherRanks(entries: readonly JournalEntry[]): OtherRanks {
  const last = entries.findLastIndex(({ what }) => what === 'start')
  const since = entries.slice(firstOfItsStarts(entries, last))
  const end = tellingEnd(since)
  const killedAt = end === null || endedByItself.has(end.ending) ? null : end.time
  return { killedAt, areRunning: countOf(since, 'start') - countOf(since, 'end') > 1 }
}

function countOf(entries: readonly JournalEntry[], what: JournalEntry['what']): number {
  return entries.filter((entry) => entry.what === what).length
}

/** The ranks of one job are started together, each by a ckpt of its own: no end lies between their starts. */
function firstOfItsStarts(entries: readonly JournalEntry[], lastStart: number): number {
  const end = entries.slice(0, lastStart).findLastIndex(({ what }) => what !== 'start')
  return end + 1
}

/** Where one rank is killed the others fail by themselves, for they have lost it: its end is what counts. */
function tellingEnd(since: readonly JournalEntry[]): EndEntry | null {
  const ends = since.filter((entry) => entry.what === 'end')
  const killed = ends.find(({ ending }) => !endedByItself.has(ending))
  if (killed !== undefined) return killed
  return ends.length < countOf(since, 'start') ? null : (ends.at(-1) ?? null)
}
