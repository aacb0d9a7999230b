/** Names that completion finds in a run. A run that cannot be read has none: pressing Tab never shows an error. */
import { relative } from 'node:path'
import type { Checkpoint } from '../../core/checkpoint.js'
import { findCheckpointAt, locateRuns, ScanTree } from '../../core/checkpoints/layouts/index.js'
import { metricOrders, varyingKeys } from '../../core/choosing/selection/index.js'
import { CkptError } from '../../core/errors.js'
import { openRunAt } from '../../core/runs/index.js'
import { loadByWord } from '../../core/runs/opening/checkpoint-by-word.js'
import { openRunTrash } from '../../core/runs/from-trash/run-trash.js'
import type { ReadStorage, Storage } from '../../core/storage/storage.js'
import { columnsOfRuns } from '../flags/columns.js'

/** Metrics first, then whatever else is a number. */
export async function metricKeysOf(storage: Storage, folder: string): Promise<string[]> {
  const checkpoints = await checkpointsBelow(storage, folder)
  return unique([...metricOrders(checkpoints).map(({ key }) => key), ...varyingKeys(checkpoints)])
}

export async function metaKeys(storage: Storage, folder: string): Promise<string[]> {
  const checkpoints = await checkpointsBelow(storage, folder)
  return unique([...checkpoints.flatMap(({ meta }) => [...meta.keys()]), ...builtIn])
}

/** Names that every checkpoint has in expressions (docs/choosing.md). */
const builtIn = ['name', 'time', 'age', 'size', 'step', 'epoch', 'layout', 'health', 'files']

export async function columnNamesOf(storage: Storage, folder: string, command: string): Promise<string[]> {
  const keys = await metaKeys(storage, folder)
  const further = command === 'runs' ? [...columnsOfRuns, 'run-name'] : ['resumable', 'marks']
  return unique([...keys, 'path', 'run', ...further])
}

export async function checkpointNames(storage: Storage, folder: string): Promise<string[]> {
  const names = (await checkpointsOf(storage, folder)).map(({ name }) => name)
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
export async function fileKeys(storage: Storage, folder: string): Promise<string[]> {
  return orNone(async () => {
    const tree = ScanTree.over(storage)
    const named = (await findCheckpointAt(tree, folder)) ?? (await loadByWord(tree, folder, '/'))
    const checkpoints = named === null ? await checkpointsOf(tree, folder) : [named.checkpoint]
    return unique(checkpoints.flatMap(({ files }) => files.map(({ key }) => key)))
  })
}

/** Folders that are looked at for runs, at most: a press of Tab must not crawl through a disk. */
const mostFolders = 200
/** Runs that tell which names there are where a folder stands for several: they mostly have the same. */
const mostAsked = 3

/** Relative to `folder` (absolute), below folders there whose names begin as typed; none where it is a run itself. */
export async function runsBelow(storage: Storage, folder: string, begun: string): Promise<string[]> {
  const runs = await all(locateRuns(storage, folder, { most: mostFolders, begun }))
  return runs.map((path) => relative(folder, path)).filter((path) => path !== '')
}

/** Of the only run at or below the folder. */
function checkpointsOf(storage: ReadStorage, folder: string): Promise<readonly Checkpoint[]> {
  return orNone(async () => {
    const tree = ScanTree.over(storage)
    const [only, ...others] = await all(locateRuns(tree, folder, { most: mostFolders }), 2)
    return only === undefined || others.length > 0 ? [] : [...(await openRunAt(tree, only)).checkpoints]
  })
}

/** Of some of the runs, where the folder is above several: of commands that take them all. */
async function checkpointsBelow(storage: Storage, folder: string): Promise<readonly Checkpoint[]> {
  return orNone(async () => {
    const runs = await all(locateRuns(storage, folder, { most: mostFolders }), mostAsked)
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
