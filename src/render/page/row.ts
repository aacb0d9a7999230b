/** The rows of the table of checkpoints, with their values for the filter. */
import type { CheckpointData, RunData } from '../report/data.js'
import type { Filterable } from './filter.js'
import { numberOf } from './values.js'

/** A checkpoint of a run, as the table has it. */
export interface Row extends Filterable {
  readonly run: RunData
  readonly checkpoint: CheckpointData
}

export function rowOf(run: RunData, checkpoint: CheckpointData): Row {
  const { meta, step, epoch, size, time } = checkpoint
  const own = new Map<string, number | null>(Object.entries({ step, epoch, size, time }))
  return {
    run,
    checkpoint,
    text: [run.label, checkpoint.name, checkpoint.health, ...checkpoint.marks].join(' ').toLowerCase(),
    numberAt: (key) => (Object.hasOwn(meta, key) ? numberOf(meta[key]) : (own.get(key) ?? undefined)),
  }
}
