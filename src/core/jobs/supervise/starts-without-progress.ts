/** Starts from one checkpoint that brought nothing. */
import { attemptsOf, type Attempt, type Entry } from '../../changes/journal/index.js'
import type { Ending } from './classify.js'

/** Ends for which the checkpoint may be to blame. A machine that was taken away says nothing against it. */
const blaming: ReadonlySet<string> = new Set<Ending>(['failed', 'out-of-memory', 'never-started', 'hung'])

/** How many of the last attempts among those that count began from this checkpoint and failed without a new one. */
export function barrenStarts(
  entries: readonly Entry[],
  checkpoint: string,
  counts: (attempt: Attempt) => boolean,
): number {
  let starts = 0
  for (const attempt of attemptsOf(entries).reverse()) {
    if (!counts(attempt) || attempt.start.checkpoint !== checkpoint || attempt.checkpoints.length > 0) break
    if (attempt.end !== null && blaming.has(attempt.end.ending)) starts += 1
  }
  return starts
}
