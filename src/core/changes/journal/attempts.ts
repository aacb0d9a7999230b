/** The journal by attempts: each start with what followed it. */
import { identityOf, type CheckpointEntry, type EndEntry, type JournalEntry, type StartEntry } from './entry.js'

export interface RecordedAttempt {
  readonly start: StartEntry
  /** Seen whole for the first time while it ran, oldest first. */
  readonly checkpoints: readonly CheckpointEntry[]
  /** Null: it runs, or nobody was left to see it end. */
  readonly end: EndEntry | null
}

/** Oldest first. A checkpoint that two have written down, `ckpt stalled` beside the job, counts once. */
export function attemptsOf(entries: readonly JournalEntry[]): RecordedAttempt[] {
  const attempts: { start: StartEntry; checkpoints: CheckpointEntry[]; end: EndEntry | null }[] = []
  const known = new Set<string>()
  for (const entry of entries) {
    const current = attempts.at(-1)
    if (entry.what === 'start') attempts.push({ start: entry, checkpoints: [], end: null })
    else if (entry.what === 'checkpoint') {
      const isNew = !known.has(identityOf(entry))
      known.add(identityOf(entry))
      if (isNew && current?.end === null) current.checkpoints.push(entry)
    } else if (entry.what === 'end' && current?.end === null) current.end = entry
  }
  return attempts
}
