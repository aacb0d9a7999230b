/** A run and its checkpoints, looked at as deep as the question needs. */
import type { Checkpoint, HealthLevel, Run } from '../checkpoint.js'
import { checkHealth, checkStructure, type HealthOptions } from '../health/index.js'
import { findRuns, loadRun, measure, NoRunError } from '../layouts/index.js'
import type { ReadStorage } from '../storage/storage.js'

/** The run at or below `path` (absolute) with the health that names and meta tell. Throws as `loadRun` does. */
export async function openRun(storage: ReadStorage, path: string): Promise<Run> {
  return graded(await loadRun(storage, path))
}

/**
 * The same for a job that may be the first of its run: null where nothing has been saved yet. A folder that cannot be
 * read, a link that dangles and the like throw: they do not mean that there is nothing.
 */
export async function openRunIfAny(storage: ReadStorage, path: string): Promise<Run | null> {
  try {
    return await openRun(storage, path)
  } catch (error) {
    if (error instanceof NoRunError) return null
    throw error
  }
}

/** All runs at or below `path` (absolute), likewise. */
export async function openRuns(storage: ReadStorage, path: string): Promise<Run[]> {
  return (await findRuns(storage, path)).map(graded)
}

function graded(run: Run): Run {
  return { ...run, checkpoints: checkStructure(run.checkpoints) }
}

/**
 * Everything there is to know of `which`: sizes, times, steps from side files, and health at this depth. `siblings`
 * are all checkpoints of their run.
 */
export async function examine(
  storage: ReadStorage,
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
  level: HealthLevel,
  options: HealthOptions = {},
): Promise<Checkpoint[]> {
  const measured = await measure(storage, which)
  if (level === 'none') return checkStructure(siblings, measured)
  return checkHealth(storage, siblings, measured, level, options)
}

/** The same in order, where `checkpoints` and `which` may be those of several runs. */
export async function examineAcross(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  which: readonly Checkpoint[],
  level: HealthLevel,
  options: HealthOptions = {},
): Promise<Checkpoint[]> {
  const examined = new Map<string, Checkpoint>()
  for (const run of new Set(which.map((checkpoint) => checkpoint.run))) {
    const ofRun = (all: readonly Checkpoint[]) => all.filter((checkpoint) => checkpoint.run === run)
    const answers = await examine(storage, ofRun(checkpoints), ofRun(which), level, options)
    for (const checkpoint of answers) examined.set(checkpoint.path, checkpoint)
  }
  return which.map((checkpoint) => examined.get(checkpoint.path) ?? checkpoint)
}

/** One checkpoint, examined; `checkpoints` may be those of several runs. */
export async function examineOne(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  checkpoint: Checkpoint,
  level: HealthLevel,
  options: HealthOptions = {},
): Promise<Checkpoint> {
  const siblings = checkpoints.filter((one) => one.run === checkpoint.run)
  const [examined] = await examine(storage, siblings, [checkpoint], level, options)
  return examined ?? checkpoint
}
