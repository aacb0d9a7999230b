/** The run that a job goes on from, where weights lie in folders of their own beside it, or its restarts made a folder each. */
import { canBeResumed, isResumable, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { openRun, openRuns } from './open-run.js'
import { NoRunError, SeveralRunsError, withoutRestartRuns } from '../../checkpoints/layouts/index.js'
import { asOne, oneJobOf, SeveralJobsError, type JobFolders } from './one-job.js'
import type { StateLocation } from './run-with-state.js'

export interface GoOnOptions extends StateLocation {
  /** Several runs below the folder may be one job's, begun again in a new folder each time. */
  readonly mayBeSpread?: boolean
  /** The command that is to go on: of several jobs the one that was begun with it is meant. */
  readonly command?: readonly string[]
}

export interface RunToGoOn extends JobFolders {
  /** Runs passed over, as nothing in them can be gone on from: the best weights, exports, what is damaged. */
  readonly weightsAlone: readonly Run[]
}

/**
 * As `openRun`; but where the folder's own checkpoints are weights alone or damaged, or several runs lie below it, the
 * only one of them that has something to go on from. Throws as `openRun` does, also where several have; as `oneJobOf`
 * where these may be one job's.
 */
export async function openRunToGoOn(
  storage: ReadStorage,
  path: string,
  { mayBeSpread = false, command = [], ...stateLocation }: GoOnOptions = {},
): Promise<RunToGoOn> {
  const opened = await openOrSeveral(storage, path, stateLocation)
  if (!(opened instanceof CkptError) && opened.checkpoints.some(canBeResumed)) return alone(opened)
  const all = await openToGoOn(storage, path, stateLocation)
  const [only, ...others] = all.filter(({ checkpoints }) => checkpoints.some(canBeResumed))
  const isOnly = only !== undefined && others.length === 0
  if (mayBeSpread && opened instanceof CkptError)
    return spread(storage, path, all, { ...stateLocation, command }, isOnly ? only : null)
  if (isOnly) return alone(only, all)
  if (opened instanceof CkptError) throw opened
  return alone(opened)
}

/** What is kept for a restart of its own alone is none to go on from beside others; lists of runs have it. */
async function openToGoOn(storage: ReadStorage, path: string, stateLocation: StateLocation): Promise<Run[]> {
  return withoutRestartRuns(await openRuns(storage, path, stateLocation))
}

/** What is damaged counts here: it may be the job's newest folder. */
async function spread(
  storage: ReadStorage,
  path: string,
  all: readonly Run[],
  { command, ...stateLocation }: StateLocation & { readonly command: readonly string[] },
  only: Run | null,
): Promise<RunToGoOn> {
  const able = all.filter(({ checkpoints }) => checkpoints.some(isResumable))
  const among = able.length === 0 ? all : able
  try {
    const job = await oneJobOf(storage, path, among, command, stateLocation)
    return { ...job, weightsAlone: all.filter((run) => !among.includes(run)) }
  } catch (error) {
    // Where nothing speaks of two jobs, the only one that can be gone on from is meant.
    if (only !== null && error instanceof SeveralJobsError && !error.areKnown) return alone(only, all)
    throw error
  }
}

function alone(run: Run, all: readonly Run[] = []): RunToGoOn {
  return { run, parts: [run], weightsAlone: all.filter((one) => one !== run) }
}

/** The same where nothing may have been saved yet: null then. */
export async function openRunToGoOnIfAny(
  storage: ReadStorage,
  path: string,
  options: GoOnOptions = {},
): Promise<RunToGoOn | null> {
  try {
    return await openRunToGoOn(storage, path, options)
  } catch (error) {
    if (error instanceof NoRunError) return null
    throw error
  }
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
    if (error instanceof SeveralRunsError) return error
    throw error
  }
}

/**
 * All that lies there, of however many runs below the folder, as one: for looking at what appears, and no choice.
 * Null where nothing has been saved yet.
 */
export async function openAllIfAny(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation = {},
): Promise<Run | null> {
  try {
    const opened = await openOrSeveral(storage, path, stateLocation)
    return opened instanceof CkptError ? asOne(path, await openToGoOn(storage, path, stateLocation)) : opened
  } catch (error) {
    if (error instanceof NoRunError) return null
    throw error
  }
}
