/** Starts from one checkpoint that saved no new one. */
import { attemptsOf, type RecordedAttempt, type JournalEntry } from '../../changes/journal/index.js'
import type { Ending } from './classify.js'

/**
 * Ends for which the checkpoint may be to blame. A machine that was taken away says nothing against it, and a command
 * that never started had not read it.
 */
const blaming: ReadonlySet<string> = new Set<Ending>(['failed', 'out-of-memory', 'hung'])

/**
 * How many of the last attempts among those that count began from this checkpoint and failed without a new one. Where
 * its framework may have taken another one, the failure may be that one's.
 */
export function startsWithoutProgress(
  entries: readonly JournalEntry[],
  checkpoint: string,
  counts: (attempt: RecordedAttempt) => boolean,
): number {
  let starts = 0
  for (const attempt of attemptsOf(entries).reverse()) {
    if (!counts(attempt) || attempt.start.checkpoint !== checkpoint || attempt.checkpoints.length > 0) break
    const mayBeAnothers = (attempt.start.inTheWay ?? []).length > 0
    if (attempt.end !== null && blaming.has(attempt.end.ending) && !mayBeAnothers) starts += 1
  }
  return starts
}
