import type { CheckpointData, RunData } from '../report/data.js'

/** A checkpoint of a run, as the table has it. */
export interface Row {
  readonly run: RunData
  readonly checkpoint: CheckpointData
  /** In lower case, what words are looked for in. */
  readonly text: string
}
