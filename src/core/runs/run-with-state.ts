/** What ckpt remembers of a run, brought together with what is found there. */
import type { Checkpoint, Run } from '../checkpoint.js'
import { readDemotions, readPins, stateFolderOf, type Demotion, type Pin } from '../changes/state/index.js'
import type { ReadStorage } from '../storage/storage.js'

/** Where state lies; left out: `<parent of the run>/.ckpt/<run's name>`. */
export interface StateLocation {
  readonly stateDirectory?: string | undefined
}

/** The run, its demoted checkpoints known as such. */
export async function withDemotions(storage: ReadStorage, run: Run, stateLocation: StateLocation): Promise<Run> {
  const state = await stateFolderOf(storage, run.path, stateLocation.stateDirectory)
  const demotions = await readDemotions(storage, state)
  if (demotions.size === 0) return run
  return { ...run, checkpoints: run.checkpoints.map((checkpoint) => withDemotion(checkpoint, demotions)) }
}

/** Only what is not there (any more) was taken: a checkpoint may have been saved anew under the name. */
function withDemotion(checkpoint: Checkpoint, demotions: ReadonlyMap<string, Demotion>): Checkpoint {
  const demotion = demotions.get(checkpoint.name)
  if (demotion === undefined) return checkpoint
  const there = new Set(checkpoint.files.map((file) => file.key))
  const keyed = demotion.dropped.filter(({ key }) => key !== null)
  const gone = demotion.dropped.filter(({ key }) => (key === null ? demotion.finished : !there.has(key)))
  if (keyed.length > 0 && !gone.some(({ key }) => key !== null)) return checkpoint
  return gone.length === 0 ? checkpoint : { ...checkpoint, demoted: gone.map(({ name, key }) => ({ name, key })) }
}

/** The run's pins by the checkpoint's name. Throws CkptError `damaged`, StorageError. */
export async function pinsOf(
  storage: ReadStorage,
  run: Run,
  stateLocation: StateLocation,
): Promise<ReadonlyMap<string, Pin>> {
  return readPins(storage, await stateFolderOf(storage, run.path, stateLocation.stateDirectory))
}
