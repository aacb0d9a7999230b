/** What must still be read of the files before a question can be answered. Reading it belongs to layouts. */
import { hasReadableMeta, timeOf, type Checkpoint } from '../../checkpoint.js'
import { isCounted, scaleOf } from './recency.js'

type Lacks = (checkpoint: Checkpoint) => boolean

const measured: ReadonlyMap<string, Lacks> = new Map<string, Lacks>([
  ['size', (checkpoint) => checkpoint.size === null],
  ['time', (checkpoint) => timeOf(checkpoint) === null],
  ['age', (checkpoint) => timeOf(checkpoint) === null],
])

const completed: ReadonlyMap<string, Lacks> = new Map<string, Lacks>([
  ['step', (checkpoint) => checkpoint.step === null],
  ['epoch', (checkpoint) => checkpoint.epoch === null],
])

const graded: ReadonlyMap<string, Lacks> = new Map<string, Lacks>([
  ['health', (checkpoint) => checkpoint.health.level === 'none'],
])

/**
 * True when sizes or file times must be taken (a stat for each file) for these names, or for the order of recency,
 * which falls back on file times.
 */
export function needsMeasure(checkpoints: readonly Checkpoint[], names: Iterable<string>): boolean {
  if (isLacking(checkpoints, names, measured)) return true
  const scale = scaleOf(checkpoints)
  // Only times tell a training that was begun anew from an older one with higher steps.
  const needsTimes = scale === 'file time' || (isCounted(scale) && checkpoints.length > 1)
  return needsTimes && checkpoints.some((checkpoint) => timeOf(checkpoint) === null)
}

/** True when the files must be looked at: a name asks for health, and nothing has looked at any depth yet. */
export function needsHealth(checkpoints: readonly Checkpoint[], names: Iterable<string>): boolean {
  return isLacking(checkpoints, names, graded)
}

/** True when steps or epochs must be read from side files for these names, or for the order of recency. */
export function needsComplete(checkpoints: readonly Checkpoint[], names: Iterable<string>): boolean {
  if (isLacking(checkpoints, names, completed)) return true
  const lacksStep = (checkpoint: Checkpoint) => checkpoint.step === null && hasReadableMeta(checkpoint)
  return scaleOf(checkpoints) === 'file time' && checkpoints.some(lacksStep)
}

function isLacking(
  checkpoints: readonly Checkpoint[],
  names: Iterable<string>,
  table: ReadonlyMap<string, Lacks>,
): boolean {
  return Array.from(names).some((name) => {
    const lacks = table.get(name)
    return lacks !== undefined && checkpoints.some((checkpoint) => !checkpoint.meta.has(name) && lacks(checkpoint))
  })
}
