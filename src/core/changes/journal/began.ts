/** What a run's journal knows of how its job began. */
import { attemptsOf } from './attempts.js'
import type { JournalEntry } from './entry.js'

/** The last start began without a checkpoint, and none was seen whole since. */
export interface Began {
  /** How it ended; null where nobody was left to see it. */
  readonly ending: string | null
  /** Unix seconds; null likewise. */
  readonly endedAt: number | null
}

/** Null where the last start began from a checkpoint, where one was seen whole since, or nothing is known. */
export function beganFromNothing(entries: readonly JournalEntry[]): Began | null {
  const last = attemptsOf(entries).at(-1)
  if (last?.start.checkpoint !== null) return null
  const since = entries.slice(entries.lastIndexOf(last.start))
  if (since.some(({ what }) => what === 'checkpoint')) return null
  return { ending: last.end?.ending ?? null, endedAt: last.end?.time ?? null }
}
