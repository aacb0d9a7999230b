/** What earlier commands on a run had left half done when they were stopped, brought to its end. */
import { dirname } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import {
  addFinished,
  finishDemotions,
  folderOfParts,
  type Finished,
  type FinishOptions,
} from '../../changes/disposal/index.js'
import { CkptError } from '../../errors.js'
import { clearStaging } from '../../changes/publish/index.js'
import { filesTogether, loadRun, resumeOnly } from '../../checkpoints/layouts/index.js'
import { protectingPins } from '../protecting/protecting-pins.js'
import type { Demotion, StateFolder } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'
import { emptyTrash, type Emptied, type EmptyOptions } from '../../changes/trash/index.js'

/** The run's path, and its checkpoints as far as there are any. */
interface RunContents {
  readonly path: string
  readonly checkpoints: readonly Checkpoint[]
}

/** Demotions, and what savers were building. Under the run's lock. */
export async function finishInterrupted(
  storage: Storage,
  { path, checkpoints }: RunContents,
  state: StateFolder,
  options: FinishOptions,
): Promise<Finished> {
  const demotions = await finishQuietly(storage, path, state, options)
  const folders = [path, ...checkpoints.map((checkpoint) => dirname(checkpoint.path))]
  const builds = await clearStaging(storage, state, folders, options.wait)
  return { ...addFinished([demotions, builds]), leftovers: [...demotions.leftovers, ...builds.leftovers] }
}

/** What of the run's demotions was interrupted and is believed. Under the run's lock. Throws as `finishDemotions`. */
export function finishDemotionsOf(storage: Storage, run: string, state: StateFolder, options: FinishOptions) {
  return finishDemotions(storage, run, state, (demotion) => whyNotFinish(storage, run, state, demotion), options)
}

/**
 * Anybody who can write beside the run may have made the record: it removes only what a demotion of that checkpoint could
 * have dropped, and nothing of one that is pinned.
 */
async function whyNotFinish(storage: Storage, path: string, state: StateFolder, demotion: Demotion) {
  const run = await loadRun(storage, path)
  const checkpoint = run.checkpoints.find(({ name }) => name === demotion.name)
  if (checkpoint === undefined) return 'it is not a checkpoint of the run that could be demoted'
  if ((await protectingPins(storage, path, state)).has(checkpoint.name)) return 'it is pinned'
  const [listing] = await storage.list([folderOfParts(checkpoint)])
  const listed = listing?.ok === true ? listing.value : []
  const there = checkpoint.kind === 'directory' ? listed : filesTogether(checkpoint)
  // What is gone may have been either.
  const gone = demotion.dropped
    .filter(({ name }) => !listed.some((entry) => entry.name === name))
    .flatMap(({ name }) => [{ name, kind: 'file' } as const, { name, kind: 'directory' } as const])
  const allowed = new Set(resumeOnly(checkpoint.layout, [...there, ...gone], checkpoint.kind))
  const stray = demotion.dropped.find(({ name }) => !allowed.has(name))
  return stray === undefined ? null : `no demotion drops ${stray.name}`
}

/** What is broken about an older demotion must not keep others from their work. */
async function finishQuietly(storage: Storage, run: string, state: StateFolder, options: FinishOptions) {
  try {
    return await finishDemotionsOf(storage, run, state, options)
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
