/** Names that completion finds in a run. A run that cannot be read has none: pressing Tab never shows an error. */
import { relative } from 'node:path'
import type { Checkpoint } from '../../core/checkpoint.js'
import { findCheckpointAt, locateManyRuns, ScanTree } from '../../core/checkpoints/layouts/index.js'
import { metricOrders, varyingKeys } from '../../core/choosing/selection/index.js'
import { CkptError } from '../../core/errors.js'
import { openRunAt } from '../../core/runs/index.js'
import { loadByWord } from '../../core/runs/opening/checkpoint-by-word.js'
import { openRunTrash } from '../../core/runs/from-trash/run-trash.js'
import type { ReadStorage, Storage } from '../../core/storage/storage.js'
import { columnsOfRuns } from '../flags/columns.js'

/** What completion looks at, and how long. */
export interface Seen {
  readonly storage: ReadStorage
  /** Whether the time for a press of Tab is used up, after this many folders were searched: nothing more is sought. */
  readonly isOver: (searched: number) => boolean
}

/** Metrics first, then whatever else is a number. */
export async function metricKeysOf(seen: Seen, folder: string): Promise<string[]> {
  const checkpoints = await checkpointsBelow(seen, folder)
  return unique([...metricOrders(checkpoints).map(({ key }) => key), ...varyingKeys(checkpoints)])
}

export async function metaKeys(seen: Seen, folder: string): Promise<string[]> {
  const checkpoints = await checkpointsBelow(seen, folder)
  return unique([...checkpoints.flatMap(({ meta }) => [...meta.keys()]), ...builtIn])
}

/** Names that every checkpoint has in expressions (docs/choosing.md). */
const builtIn = ['name', 'time', 'age', 'size', 'step', 'epoch', 'layout', 'health', 'files']

export async function columnNamesOf(seen: Seen, folder: string, command: string): Promise<string[]> {
  const keys = await metaKeys(seen, folder)
  const further = command === 'runs' ? [...columnsOfRuns, 'run-name'] : ['resumable', 'marks']
  return unique([...keys, 'path', 'run', ...further])
}

export async function checkpointNames(seen: Seen, folder: string): Promise<string[]> {
  const names = (await checkpointsOf(seen, folder)).map(({ name }) => name)
  return names.length === 0 ? [] : unique([...names, 'latest', 'best'])
}

/** Of the run's trash, each once. */
export async function trashedNames(storage: Storage, folder: string): Promise<string[]> {
  return orNone(async () => {
    const { contents } = await openRunTrash(storage, folder, undefined)
    return unique(contents.entries.map(({ name }) => name))
  })
}

/** Keys of parameter files: `folder` may be a run or one checkpoint. */
export async function fileKeys({ storage, isOver }: Seen, folder: string): Promise<string[]> {
  return orNone(async () => {
    const tree = ScanTree.over(storage)
    const named = (await findCheckpointAt(tree, folder)) ?? (await loadByWord(tree, folder, '/'))
    const checkpoints = named === null ? await checkpointsOf({ storage: tree, isOver }, folder) : [named.checkpoint]
    return unique(checkpoints.flatMap(({ files }) => files.map(({ key }) => key)))
  })
}

/** Runs that tell which names there are where a folder stands for several: they mostly have the same. */
const mostAsked = 3

/**
 * Relative to `folder` (absolute), below folders there whose names begin as typed; none where it is a run itself. Of very
 * many the first, as far as the time goes: the shell offers the folders of the others.
 */
export async function runsBelow({ storage, isOver }: Seen, folder: string, begun: string): Promise<string[]> {
  const runs = await all(locateManyRuns(storage, folder, { begun, isOver }))
  return runs.map((path) => relative(folder, path)).filter((path) => path !== '')
}

/** Of the only run at or below the folder. */
function checkpointsOf({ storage, isOver }: Seen, folder: string): Promise<readonly Checkpoint[]> {
  return orNone(async () => {
    const tree = ScanTree.over(storage)
    const [only, ...others] = await all(locateManyRuns(tree, folder, { isOver }), 2)
    return only === undefined || others.length > 0 ? [] : [...(await openRunAt(tree, only)).checkpoints]
  })
}

/** Of some of the runs, where the folder is above several: of commands that take them all. */
async function checkpointsBelow({ storage, isOver }: Seen, folder: string): Promise<readonly Checkpoint[]> {
  return orNone(async () => {
    const runs = await all(locateManyRuns(storage, folder, { isOver }), mostAsked)
    const opened = await Promise.all(runs.map((path) => openRunAt(storage, path)))
    return opened.flatMap(({ checkpoints }) => checkpoints)
  })
}

/** What comes, as many as that. */
async function all(coming: AsyncIterable<string>, most = Infinity): Promise<string[]> {
  const came: string[] = []
  for await (const one of coming) if (came.push(one) >= most) break
  return came
}

async function orNone<T>(find: () => Promise<T[]>): Promise<T[]> {
  try {
    return await find()
  } catch (error) {
    if (error instanceof CkptError) return []
    throw error
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
