/** A first save behind which the job was killed, and that later starts read and failed with. */
import { firstSaveIn, type DoubtedFirst, type EndEntry, type JournalEntry } from '../../changes/journal/index.js'
import { killNumber } from './classify.js'
import { endsWithoutProgress, isBlaming } from './starts-without-progress.js'

/** Starts that read it and failed, without one that went on. A kill may have one of another reason, hardly so many in a row. */
export const usualDoubt = 3

/**
 * Null where the journal does not know of one. SIGKILL alone counts: a job that is asked to end may have saved for that,
 * and was then through.
 */
export function doubtedFirst(entries: readonly JournalEntry[], least: number): DoubtedFirst | null {
  const chosen = entries.findLast((entry) => entry.what === 'start')?.checkpoint ?? null
  if (chosen === null) return null
  const endedAt = killedBehind(entries, chosen)
  if (endedAt === null) return null
  const starts = countReaders(entries, chosen)
  return starts < least ? null : { name: chosen, endedAt, starts }
}

/** Unix seconds: when the start from nothing that saved this one, and no other, was killed; null: it was not. */
export function killedBehind(entries: readonly JournalEntry[], checkpoint: string): number | null {
  const { name, end } = firstSaveIn(entries) ?? { name: null, end: null }
  if (end?.status !== 128 + killNumber || (name !== null && name !== checkpoint)) return null
  return end.time
}

/**
 * File systems mostly note the first read alone (`relatime`): a start too short to tell otherwise counts where another one,
 * which was seen to read, had ended with the same status.
 */
function countReaders(entries: readonly JournalEntry[], checkpoint: string): number {
  const ends = endsWithoutProgress(entries, checkpoint)
  const known = new Set(ends.filter((end) => isBlaming(end, checkpoint)).map(({ status }) => status))
  const isAlike = ({ ending, status, unread }: EndEntry) =>
    ending === 'never-started' && unread !== true && known.has(status)
  return ends.filter((end) => isBlaming(end, checkpoint) || isAlike(end)).length
}
