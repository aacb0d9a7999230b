/** Starts from one checkpoint that saved no new one. */
import { attemptsOf, type EndEntry, type RecordedAttempt, type JournalEntry } from '../../changes/journal/index.js'
import type { Ending } from './classify.js'

/**
 * Ends for which the checkpoint may be to blame. A machine that was taken away says nothing against it, and a command
 * that never started had not read it.
 */
const blaming: ReadonlySet<string> = new Set<Ending>(['failed', 'out-of-memory', 'hung'])

/**
 * How many of the last attempts among those that count began from this checkpoint and failed without a new one. Where
 * its framework may have taken another one, the failure may be that one's; and it is where only others were seen to be
 * read. What had read none failed of something else.
 */
export function startsWithoutProgress(
  entries: readonly JournalEntry[],
  checkpoint: string,
  counts: (attempt: RecordedAttempt) => boolean,
): number {
  return endsWithoutProgress(entries, checkpoint, counts).filter((end) => isBlaming(end, checkpoint)).length
}

/** How they ended, the last first: none of them saved another, and no framework may have taken another. */
export function endsWithoutProgress(
  entries: readonly JournalEntry[],
  checkpoint: string,
  counts: (attempt: RecordedAttempt) => boolean = () => true,
): EndEntry[] {
  const ends: EndEntry[] = []
  for (const attempt of attemptsOf(entries).reverse()) {
    if (!counts(attempt) || attempt.start.checkpoint !== checkpoint || attempt.checkpoints.length > 0) break
    const mayBeAnothers = (attempt.start.inTheWay ?? []).length > 0
    if (attempt.end !== null && !mayBeAnothers) ends.push(attempt.end)
  }
  return ends
}

export function isBlaming(end: EndEntry, checkpoint: string): boolean {
  return blaming.has(end.ending) && mayHaveRead(end, checkpoint)
}

function mayHaveRead(end: EndEntry, checkpoint: string): boolean {
  return end.unread !== true && !hasReadOnlyOthers(end, checkpoint)
}

/** Nothing is said of one that was not seen to read any. */
export function hasReadOnlyOthers({ opened = [] }: Pick<EndEntry, 'opened'>, checkpoint: string): boolean {
  return opened.length > 0 && !opened.includes(checkpoint)
}
