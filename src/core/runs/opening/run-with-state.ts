/** What ckpt remembers of a run, brought together with what is found there. */
import { relative } from 'node:path'
import { isUnreadable, StorageError } from '../../errors.js'
import { withHealth, type Checkpoint, type Finding, type Run } from '../../checkpoint.js'
import {
  readDemotions,
  readGroupMoves,
  readKnownElsewhere,
  stateFolderOf,
  type Demotion,
  type StateFolder,
} from '../../changes/state/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/** Where state lies; left out: `<parent of the run>/.ckpt/<run's name>`. */
export interface StateLocation {
  readonly stateDirectory?: string | undefined
}

/** The run, its demoted checkpoints known as such. */
export async function withDemotions(storage: ReadStorage, run: Run, stateLocation: StateLocation): Promise<Run> {
  const state = await stateFolderOf(storage, run.path, stateLocation.stateDirectory)
  const read = async (folder: StateFolder) => ({
    demotions: await readDemotions(storage, folder),
    moves: await readGroupMoves(storage, folder),
  })
  const own = await readIfAllowed(storage, run, () => read(state))
  const others = await readKnownElsewhere(storage, state, read)
  const remembered = [...others.map(({ value }) => value), ...(own === null ? [] : [own])]
  // The last of equals counts: that of the folder in use.
  const demotions = new Map(remembered.flatMap((one) => [...one.demotions]))
  const moves = remembered.flatMap((one) => one.moves)
  if (demotions.size + moves.length === 0) return run
  const away = new Set(moves.flatMap(({ members }) => members.map(({ name }) => name)))
  const known = run.checkpoints.map((checkpoint) => withDemotion(withMove(checkpoint, away), demotions))
  return { ...run, checkpoints: known }
}

/** By name, why a checkpoint must stay of which another state folder has a part: only who names that can give it back. */
export async function halfElsewhere(
  storage: ReadStorage,
  run: Run,
  { stateDirectory }: StateLocation,
): Promise<ReadonlyMap<string, string>> {
  const state = await stateFolderOf(storage, run.path, stateDirectory)
  const others = await readKnownElsewhere(storage, state, (other) => readGroupMoves(storage, other))
  const away = others.flatMap(({ other, value }) =>
    value.flatMap(({ members }) => members.map(({ name }): [string, string] => [name, other.path])),
  )
  if (away.length === 0) return new Map()
  const folders = new Map(away)
  return new Map(
    run.checkpoints.flatMap(({ name, members }): [string, string][] => {
      const folder = members.map(({ path }) => folders.get(relative(run.path, path))).find((one) => one !== undefined)
      return folder === undefined
        ? []
        : [[name, `some of its files were moved by a ckpt that keeps its state in ${folder}`]]
    }),
  )
}

/**
 * Null where the system refuses to show what ckpt remembers of the run, which is reported: who only looks at the run, or goes
 * on from it, needs none of it. A removal asks for the pins, and is refused.
 */
export async function readIfAllowed<T>(
  storage: ReadStorage,
  { path }: Pick<Run, 'path'>,
  read: () => Promise<T>,
): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof StorageError) || !isUnreadable(error.errno)) throw error
    storage.custody.warn(
      `what ckpt remembers of ${path} cannot be read, so pins, marks and demotions are not known: ${error.message}`,
    )
    return null
  }
}

const halfMoved: Finding = {
  grade: 'partial',
  reason: 'some of its files were moved when that was stopped; the next ckpt prune gives them back',
}

/** One of whose files some have left their names is not whole, whatever is left looks like. */
function withMove(checkpoint: Checkpoint, away: ReadonlySet<string>): Checkpoint {
  const { run, members, health } = checkpoint
  if (away.size === 0 || !members.some(({ path }) => away.has(relative(run, path)))) return checkpoint
  return withHealth(checkpoint, health.level, [...health.findings, halfMoved])
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
