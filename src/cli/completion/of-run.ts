/** Names that completion finds in a run. A run that cannot be read has none: pressing Tab never shows an error. */
import { relative } from 'node:path'
import type { Checkpoint } from '../../core/checkpoint.js'
import { findRuns } from '../../core/checkpoints/layouts/index.js'
import { metricOrders, varyingKeys } from '../../core/choosing/selection/index.js'
import { CkptError } from '../../core/errors.js'
import { openNamed, openRun } from '../../core/runs/index.js'
import { openRunTrash } from '../../core/runs/from-trash/run-trash.js'
import type { Storage } from '../../core/storage/storage.js'

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

export async function columnNamesOf(storage: Storage, folder: string): Promise<string[]> {
  const keys = await metaKeys(storage, folder)
  return unique([...keys, 'path', 'run', 'resumable', 'marks'])
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
    const what = await openNamed(storage, folder, '/')
    const checkpoints = what.kind === 'run' ? what.run.checkpoints : what.kind === 'checkpoint' ? [what.checkpoint] : []
    return unique(checkpoints.flatMap(({ files }) => files.map(({ key }) => key)))
  })
}

/** Folders that are looked at for runs, at most: a press of Tab must not crawl through a disk. */
const mostFolders = 200
const deepest = 3

/** Relative to the folder; the folder itself left out. */
export async function runsBelow(storage: Storage, folder: string): Promise<string[]> {
  return orNone(async () => {
    if (!(await isSmall(storage, folder))) return []
    const runs = await findRuns(storage, folder)
    return runs.map(({ path }) => relative(folder, path)).filter((path) => path !== '' && !path.startsWith('..'))
  })
}

async function isSmall(storage: Storage, folder: string): Promise<boolean> {
  let level = [folder]
  let seen = 0
  for (let depth = 0; depth < deepest && level.length > 0; depth += 1) {
    const listings = await storage.list(level)
    level = listings.flatMap((listing, index) =>
      listing.ok
        ? listing.value.filter(({ kind }) => kind === 'directory').map(({ name }) => `${level[index] ?? ''}/${name}`)
        : [],
    )
    seen += level.length
    if (seen > mostFolders) return false
  }
  return true
}

function checkpointsOf(storage: Storage, folder: string): Promise<readonly Checkpoint[]> {
  return orNone(async () => [...(await openRun(storage, folder, { mostFolders })).checkpoints])
}

/** Of all runs below the folder, where it is above several: of commands that take them all. */
async function checkpointsBelow(storage: Storage, folder: string): Promise<readonly Checkpoint[]> {
  const own = await checkpointsOf(storage, folder)
  if (own.length > 0) return own
  return orNone(async () => {
    if (!(await isSmall(storage, folder))) return []
    return (await findRuns(storage, folder)).flatMap(({ checkpoints }) => checkpoints)
  })
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
