/** The removals and restores of checkpoints that a journal records. */
import { removals, type JournalEntry, type RemovalEntry } from './entry.js'

const kinds: ReadonlySet<string> = new Set(removals)

/** Oldest first. */
export function removalsIn(entries: readonly JournalEntry[]): RemovalEntry[] {
  return entries.filter((entry): entry is RemovalEntry => kinds.has(entry.what))
}

/** The same, with what was about to go when its ckpt was killed, or is going now: nothing tells what became of it. */
export function removalsAndCutOff(entries: readonly JournalEntry[]): RemovalEntry[] {
  const last = new Map(entries.flatMap((entry) => (isOfRemovals(entry) ? [[entry.name, entry] as const] : [])))
  return entries.filter((entry): entry is RemovalEntry => {
    return kinds.has(entry.what) || (entry.what === 'removing' && last.get(entry.name) === entry)
  })
}

function isOfRemovals(entry: JournalEntry): entry is Exclude<JournalEntry, { checkpoint: unknown }> & { name: string } {
  return entry.what === 'stays' || entry.what === 'removing' || kinds.has(entry.what)
}
