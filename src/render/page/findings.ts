/** What is wrong with a checkpoint, in one line. */
import type { CheckpointData } from '../report/data.js'

export type FindingData = CheckpointData['findings'][number]

export function describeFinding({ grade, file, reason }: FindingData): string {
  return `${grade}: ${file === undefined ? '' : `${file}: `}${reason}`
}
