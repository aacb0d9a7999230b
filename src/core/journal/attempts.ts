/** The journal by attempts: each start with what followed it. */
import type { CheckpointEntry, EndEntry, Entry, StartEntry } from './entry.js'

export interface Attempt {
  readonly start: StartEntry
  /** Seen whole for the first time while it ran, oldest first. */
  readonly checkpoints: readonly CheckpointEntry[]
  /** Null: it runs, or nobody was left to see it end. */
  readonly end: EndEntry | null
}

/** Oldest first. */
export function attemptsOf(entries: readonly Entry[]): Attempt[] {
  const attempts: { start: StartEntry; checkpoints: CheckpointEntry[]; end: EndEntry | null }[] = []
  for (const entry of entries) {
    const current = attempts.at(-1)
    if (entry.what === 'start') attempts.push({ start: entry, checkpoints: [], end: null })
    else if (current?.end !== null) continue
    else if (entry.what === 'checkpoint') current.checkpoints.push(entry)
    else if (entry.what === 'end') current.end = entry
  }
  return attempts
}
