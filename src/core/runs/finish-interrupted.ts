/** What earlier commands on a run had left half done when they were stopped, brought to its end. */
import { dirname } from 'node:path'
import type { Checkpoint } from '../checkpoint.js'
import { addFinished, finishDemotions, type Finished, type FinishOptions } from '../changes/disposal/index.js'
import { CkptError } from '../errors.js'
import { clearStaging } from '../changes/publish/index.js'
import type { StateFolder } from '../changes/state/index.js'
import type { Storage } from '../storage/storage.js'
import { emptyTrash, type Emptied, type EmptyOptions } from '../changes/trash/index.js'

/** The run's path, and its checkpoints as far as there are any. */
interface Place {
  readonly path: string
  readonly checkpoints: readonly Checkpoint[]
}

/** Demotions, and what savers were building. Under the run's lock. */
export async function finishInterrupted(
  storage: Storage,
  { path, checkpoints }: Place,
  state: StateFolder,
  options: FinishOptions,
): Promise<Finished> {
  const demotions = await finishQuietly(storage, path, state, options)
  const folders = [path, ...checkpoints.map((checkpoint) => dirname(checkpoint.path))]
  const builds = await clearStaging(storage, state, folders, options.wait)
  return { ...addFinished([demotions, builds]), leftovers: [...demotions.leftovers, ...builds.leftovers] }
}

/** What is broken about an older demotion must not keep others from their work. */
async function finishQuietly(storage: Storage, run: string, state: StateFolder, options: FinishOptions) {
  try {
    return await finishDemotions(storage, run, state, options)
  } catch (error) {
    if (error instanceof CkptError) return { count: 0, freedBytes: 0, leftovers: [] }
    throw error
  }
}

/** `emptyTrash`, and what other commands had left half done. Under the run's lock. */
export async function emptyAndFinish(
  storage: Storage,
  run: string,
  state: StateFolder,
  entries: Parameters<typeof emptyTrash>[3],
  options: EmptyOptions & FinishOptions,
): Promise<Emptied> {
  const emptied = await emptyTrash(storage, run, state, entries, options)
  const finished = await finishInterrupted(storage, { path: run, checkpoints: [] }, state, options)
  return {
    ...emptied,
    leftovers: [...emptied.leftovers, ...finished.leftovers],
    finished: addFinished([emptied.finished, finished]),
  }
}
