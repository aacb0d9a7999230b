/** The run that a job goes on from, where weights lie in folders of their own beside it. */
import { isResumable, isSound, type Checkpoint, type Run } from '../checkpoint.js'
import { CkptError } from '../errors.js'
import type { ReadStorage } from '../storage/storage.js'
import { openRun, openRuns } from './open.js'
import { NoRunError } from '../checkpoints/layouts/index.js'
import type { StateLocation } from './run-with-state.js'

export interface RunToGoOn {
  readonly run: Run
  /** Runs passed over, as nothing in them can be gone on from: the best weights, exports, what is damaged. */
  readonly weightsAlone: readonly Run[]
}

/**
 * As `openRun`; but where the folder's own checkpoints are weights alone or damaged, or several runs lie below it, the only one of
 * them that has something to go on from. Throws as `openRun` does, also where several have.
 */
export async function openRunToGoOn(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation = {},
): Promise<RunToGoOn> {
  const opened = await openOrSeveral(storage, path, stateLocation)
  if (!(opened instanceof CkptError) && opened.checkpoints.some(canGoOn)) return { run: opened, weightsAlone: [] }
  const all = await openRuns(storage, path, stateLocation)
  const [only, ...others] = all.filter(({ checkpoints }) => checkpoints.some(canGoOn))
  if (only !== undefined && others.length === 0) return { run: only, weightsAlone: all.filter((run) => run !== only) }
  if (opened instanceof CkptError) throw opened
  return { run: opened, weightsAlone: [] }
}

/** The same where nothing may have been saved yet: null then. */
export async function openRunToGoOnIfAny(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation = {},
): Promise<RunToGoOn | null> {
  try {
    return await openRunToGoOn(storage, path, stateLocation)
  } catch (error) {
    if (error instanceof NoRunError) return null
    throw error
  }
}

/** As far as no file was looked into. */
function canGoOn(checkpoint: Checkpoint): boolean {
  return isResumable(checkpoint) && isSound(checkpoint)
}

/** The error for several runs is kept: which one is meant may be clear after all. */
async function openOrSeveral(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation,
): Promise<Run | CkptError> {
  try {
    return await openRun(storage, path, stateLocation)
  } catch (error) {
    if (error instanceof CkptError && error.code === 'usage') return error
    throw error
  }
}
