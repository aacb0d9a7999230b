/** What a journal tells of checkpoints that went, and came back. */
import { removals, type JournalEntry, type RemovalEntry } from './entry.js'

const kinds: ReadonlySet<string> = new Set(removals)

/** Oldest first. */
export function removalsIn(entries: readonly JournalEntry[]): RemovalEntry[] {
  return entries.filter((entry): entry is RemovalEntry => kinds.has(entry.what))
}
