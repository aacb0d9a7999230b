/** Finds the run that a typed path means, or all runs below it. */
import { basename, dirname, join, normalize, sep } from 'node:path'
import type { Run } from '../../checkpoint.js'
import { CkptError, reasonOf, StorageError, type ErrorDetails } from '../../errors.js'
import { namesWithin, orList } from '../../nearest.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { Folder } from './layout.js'
import { choosingWords } from '../choosing-words.js'
import { nearestThere, pathsNear } from './near-paths.js'
import { compareText, onFileSystemOf } from './folders.js'
import { scanFolder } from './scan.js'
import { holdsNoRun } from './folders-without-runs.js'
import { withoutRestartRuns } from './own-restarts.js'
import { isDownloadCache } from './download-caches.js'
import { foldersIn, layoutsOf, takenBy, walkRuns, type WalkedRun, type WalkOptions } from './walk.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** `lightning_logs/version_0/checkpoints` is three deep; experiments are sorted into a few folders above that. */
const deepest = 8
/** Folders looked into before a search is given up as misdirected (a home directory, a data set). */
const mostFolders = 100_000
/** A search for the only run ends once this many are found. */
const enoughRuns = 100
/** Runs that a message lists. */
const mostListed = 10

/** Nothing has been saved there yet: no such folder, or no checkpoint in it or below. */
export class NoRunError extends CkptError {
  constructor(message: string, details: ErrorDetails) {
    super('not-found', message, details)
  }
}

/** The hint where none was found. */
export const whatRunsAre =
  'a run is the folder that checkpoints are saved into; the frameworks that are known: ckpt layouts'

/** Several runs lie below the folder, and one is wanted. */
export class SeveralRunsError extends CkptError {
  constructor(
    /** The folder above them. */
    readonly root: string,
    message: string,
  ) {
    super('refused', message, { hint: 'name one of them' })
  }
}

/**
 * The run at `path` (absolute): the folder itself when it has checkpoints, else the only run below it.
 * Throws NoRunError; CkptError: `not-found` when no folder is there, its link dangles, or it is a checkpoint;
 * SeveralRunsError when several runs are below; `system` when the folder, or one below where none was found, cannot be read.
 */
export async function loadRun(storage: ReadStorage, path: string, bounds: SearchBounds = {}): Promise<Run> {
  const folder = await openFolder(storage, path)
  const own = await runIn(storage, folder)
  if (own.checkpoints.length > 0) return own
  const search = await searchBelow(storage, folder, bounds.mostFolders ?? mostFolders)
  const [only, ...others] = search.runs
  if (only === undefined) throw noRun(folder.path, search)
  if (others.length > 0) throw severalRuns(folder.path, search)
  return only
}

/** The run at exactly `path`, whatever lies below it. Throws as `loadRun`. */
export async function loadRunAt(storage: ReadStorage, path: string): Promise<Run> {
  const run = await runIn(storage, await openFolder(storage, path))
  if (run.checkpoints.length > 0) return run
  throw new NoRunError(`no checkpoints in ${run.path}`, { hint: whatRunsAre })
}

/** It may have no checkpoints. */
async function runIn(storage: ReadStorage, folder: Folder): Promise<Run> {
  const checkpoints = await scanFolder(storage, folder)
  // Files within a checkpoint may look like checkpoints of another kind: the outermost is what counts.
  if (checkpoints.every(({ kind }) => kind !== 'directory')) await refuseCheckpoint(storage, folder.path)
  return { path: folder.path, checkpoints }
}

/**
 * All runs at and below `root` (absolute), as `walkRuns` finds them. Throws as `loadRun` does for a root that cannot be
 * read.
 */
export async function* walkFrom(
  storage: ReadStorage,
  root: string,
  options: WalkOptions = {},
): AsyncGenerator<WalkedRun> {
  yield* walkRuns(storage, await openFolder(storage, root), options)
}

/** The same, sorted by path; none found is an empty list. */
export async function findRuns(storage: ReadStorage, root: string, options: WalkOptions = {}): Promise<Run[]> {
  const runs: Run[] = []
  for await (const { run } of walkFrom(storage, root, options)) runs.push(run)
  return withoutRestartRuns(runs).sort((a, b) => compareText(a.path, b.path))
}

/** For who answers without a run too. Throws as `loadRun` does where nothing is at `path` (absolute). */
export async function refuseAbsent(storage: ReadStorage, path: string): Promise<void> {
  const [there] = await storage.stat([path])
  if (there?.ok === false && there.error.code === 'not-found') await openFolder(storage, path)
}

/** The folder at an absolute path with its entries. Throws CkptError with what is there instead. */
async function openFolder(storage: ReadStorage, path: string): Promise<Folder> {
  const tidy = withoutTrailingSeparator(normalize(path))
  const [listing] = await storage.list([tidy])
  if (listing?.ok === true) return { path: tidy, entries: listing.value }
  throw await explainUnlisted(storage, tidy, listing?.error)
}

function withoutTrailingSeparator(path: string): string {
  return path.length > 1 && path.endsWith(sep) ? path.slice(0, -1) : path
}

async function explainUnlisted(
  storage: ReadStorage,
  path: string,
  error: StorageError | undefined,
): Promise<CkptError> {
  const nearest = await nearestThere(storage, path)
  if (nearest.kind === 'dangling') {
    return new CkptError(
      'not-found',
      `${nearest.path} is a symbolic link that dangles: what it leads to is not there`,
      {
        hint: `see where it leads: ls -l ${quoteWord(nearest.path)}`,
      },
    )
  }
  if (nearest.kind === 'file') {
    return new CkptError('not-found', `${nearest.path} is a file, not a folder`, {
      hint: `a run is the folder that checkpoints are saved into: try its folder, ${dirname(nearest.path)}`,
    })
  }
  if (error === undefined) return new CkptError('system', `${path} could not be listed`)
  if (error.code === 'not-found') {
    const near = await pathsNear(storage, path, { isFolder: true })
    return new NoRunError(`${path}: no such folder`, {
      hint: hintForAbsent(path, near, nearest.path),
      cause: error,
    })
  }
  return new StorageError(path, error.errno, `${path} could not be read: ${reasonOf(error)}`, {
    hint: `see who may read it: ls -ld ${quoteWord(path)}`,
    cause: error,
  })
}

/** `near`: paths that may have been meant. `RUN/best` names a checkpoint, where a command takes one. */
function hintForAbsent(path: string, near: readonly string[], nearest: string): string {
  const [word] = namesWithin(1, basename(path), choosingWords)
  if (near.length === 0 && word !== undefined && dirname(path) === nearest) {
    const run = quoteWord(nearest)
    return `did you mean one checkpoint of ${nearest}? its path: ckpt find ${word} ${run}; what it holds: ckpt show ${quoteWord(`${nearest}/${word}`)}`
  }
  return near.length === 0 ? `the nearest folder that is there: ${nearest}` : `did you mean ${orList(near)}?`
}

/** A checkpoint where a run was asked for is reported as such. */
async function refuseCheckpoint(storage: ReadStorage, path: string): Promise<void> {
  const run = dirname(path)
  if (run === path) return
  const [listing] = await storage.list([run])
  if (listing?.ok !== true) return
  const entries = listing.value.filter((entry) => entry.name === basename(path))
  const [found] = await scanFolder(storage, { path: run, entries })
  if (found === undefined) return
  throw new CkptError('not-found', `${path} is a checkpoint, not a run`, { hint: `its run is ${run}` })
}

export interface SearchBounds {
  /** Folders below `path` that are looked into; with more of them CkptError `usage` is thrown. */
  readonly mostFolders?: number | undefined
}

interface Search {
  /** Sorted by path. */
  readonly runs: readonly Run[]
  /** False where the search ended before all runs were found. */
  readonly isWhole: boolean
  /** Folders that could not be read. */
  readonly unreadable: number
  /** Paths where another file system is mounted, which is not searched. */
  readonly mounts: readonly string[]
}

/** Level by level, so that each level is one call of the storage. On the file system of `root` alone. */
async function searchBelow(storage: ReadStorage, root: Folder, most: number): Promise<Search> {
  const runs: Run[] = []
  const mounts: string[] = []
  let unreadable = 0
  let looked = 1
  let level: Folder[] = [root]
  for (let depth = 0; level.length > 0; depth += 1) {
    const below: { readonly path: string; readonly layouts: readonly string[]; readonly beside: Folder['entries'] }[] =
      []
    for (const folder of level) {
      if (runs.length >= enoughRuns) return found(runs, { isWhole: false, unreadable, mounts })
      const checkpoints = await scanFolder(storage, folder)
      if (checkpoints.length > 0) runs.push({ path: folder.path, checkpoints })
      const taken = takenBy(folder.path, checkpoints)
      const layouts = layoutsOf(checkpoints)
      for (const path of foldersIn(folder)) if (!taken.has(path)) below.push({ path, layouts, beside: folder.entries })
    }
    if (depth === deepest) break
    looked += below.length
    if (looked > most) throw tooManyFolders(root.path, most)
    const paths = below.map(({ path }) => path)
    const own = new Set(await onFileSystemOf(storage, root.path, paths))
    mounts.push(...paths.filter((path) => !own.has(path)))
    const here = below.filter(({ path }) => own.has(path))
    const listings = await storage.list(here.map(({ path }) => path))
    level = []
    here.forEach(({ path, layouts, beside }, index) => {
      const listing = listings[index]
      const folder = listing?.ok === true ? { path, entries: listing.value } : null
      if (folder !== null && !holdsNoRun({ folder, beside }, layouts) && !isDownloadCache(folder)) level.push(folder)
      else if (listing?.ok === false && listing.error.code === 'system') unreadable += 1
    })
  }
  return found(runs, { isWhole: true, unreadable, mounts })
}

function found(runs: readonly Run[], search: Omit<Search, 'runs'>): Search {
  return { ...search, runs: withoutRestartRuns(runs).sort((a, b) => compareText(a.path, b.path)) }
}

function tooManyFolders(root: string, most: number): CkptError {
  return new CkptError('usage', `more than ${most} folders lie below ${root}`, {
    hint: 'name a folder that is nearer to the runs',
  })
}

function noRun(path: string, search: Search): CkptError {
  const message = `no checkpoints in ${path} or below it`
  if (search.unreadable > 0) {
    return new CkptError('system', `${message}, but ${search.unreadable} folders there could not be read`, {
      hint: `see which: find ${quoteWord(path)} -type d ! -readable`,
    })
  }
  return new NoRunError(message, { hint: search.mounts.length > 0 ? whereElse(search.mounts) : whatRunsAre })
}

function whereElse(mounts: readonly string[]): string {
  const listed = mounts.slice(0, mostListed).map(quoteWord).join(', ')
  const more = mounts.length > mostListed ? ', …' : ''
  return `other file systems below it were not searched; name the one that is meant: ${listed}${more}`
}

function severalRuns(path: string, { runs, isWhole }: Search): CkptError {
  const listed = runs.slice(0, mostListed).map(({ path: run, checkpoints: { length } }) => {
    return `  ${run} (${length} checkpoint${length === 1 ? '' : 's'})`
  })
  const count = isWhole ? runs.length : `at least ${runs.length}`
  const others = runs.length - mostListed
  const more = others > 0 ? [isWhole ? `  and ${others} more` : '  and more'] : []
  return new SeveralRunsError(path, [`${count} runs lie below ${path}:`, ...listed, ...more].join('\n'))
}

/** Joins a typed path to the folder that it is relative to. */
export function resolveFrom(base: string, argument: string): string {
  return withoutTrailingSeparator(argument.startsWith(sep) ? normalize(argument) : join(base, argument))
}
