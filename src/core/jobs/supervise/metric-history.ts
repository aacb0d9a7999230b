/** What a metric was in every checkpoint that a run has, or had: the journal knows those that were pruned. */
import { ownMeta, timeOf, type Checkpoint } from '../../checkpoint.js'
import { identityOf, type CheckpointEntry, type JournalEntry } from '../../changes/journal/index.js'

export interface Reading {
  readonly name: string
  /** Unix seconds. */
  readonly saved: number | null
  readonly value: number
}

export function toCheckpointEntry(checkpoint: Checkpoint, time: number): CheckpointEntry {
  const numbers = [...ownMeta(checkpoint)].filter((pair): pair is [string, number] => typeof pair[1] === 'number')
  const { name, epoch, step } = checkpoint
  return { what: 'checkpoint', time, name, saved: timeOf(checkpoint), epoch, step, metrics: new Map(numbers) }
}

/** Those among the checkpoints (measured, oldest first) that the journal does not know. */
export function unknownTo(entries: readonly JournalEntry[], checkpoints: readonly Checkpoint[]): Checkpoint[] {
  const known = new Set(entries.flatMap((entry) => (entry.what === 'checkpoint' ? [identityOf(entry)] : [])))
  return checkpoints.filter((one) => !known.has(identityOf({ name: one.name, saved: timeOf(one) })))
}

/** The values of `key`, oldest first, of the checkpoints that have one. */
export function readingsOf(
  entries: readonly JournalEntry[],
  checkpoints: readonly Checkpoint[],
  key: string,
): Reading[] {
  const seen = entries.filter((entry) => entry.what === 'checkpoint')
  const unseen = unknownTo(entries, checkpoints).map((one) => toCheckpointEntry(one, timeOf(one) ?? 0))
  const once = new Map([...unseen, ...seen].map((entry) => [identityOf(entry), entry])).values()
  const all = [...once].flatMap(({ name, saved, time, metrics }) => {
    const value = metrics.get(key)
    return value === undefined ? [] : [{ name, saved, value, order: saved ?? time }]
  })
  return all.sort((a, b) => a.order - b.order).map(({ name, saved, value }) => ({ name, saved, value }))
}
