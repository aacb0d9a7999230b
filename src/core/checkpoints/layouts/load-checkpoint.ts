/** Finds the checkpoint that a typed argument means. */
import { basename, dirname, isAbsolute, join } from 'node:path'
import type { Checkpoint, Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { namesWithin, nearestName, orList } from '../../nearest.js'
import type { ReadStorage } from '../../storage/storage.js'
import { choosingWords } from '../choosing-words.js'
import { pathsNear } from './near-paths.js'
import { loadRun, resolveFrom, SeveralRunsError } from './discover.js'
import { mayHoldAt, scanFolder } from './scan.js'
import { ScanTree } from './scan-tree.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** A checkpoint that was named by itself. */
export interface LoadedCheckpoint {
  /** The one that was named. */
  readonly checkpoint: Checkpoint
  /** Its run: health needs the other checkpoints. */
  readonly run: Run
}

/** A checkpoint's name can have parts (`val/acc=0.9.ckpt`): its run is this many folders up at most. */
const mostParts = 3

/**
 * The checkpoint that `argument` names: a path (absolute, or relative to the folder `base`), else a name in the run
 * at or below `base`. Throws CkptError `not-found` when there is none, and as `loadRun` does.
 */
export async function loadCheckpoint(storage: ReadStorage, argument: string, base: string): Promise<LoadedCheckpoint> {
  const path = resolveFrom(base, argument)
  const [there] = await storage.resolve([path])
  // Of files that only together are a checkpoint (TensorFlow's prefix) nothing lies at the path itself.
  const found = (await findCheckpointAt(storage, path)) ?? (await findCheckpointBehind(storage, path))
  if (found !== null) return found
  // No name begins at the root of all files.
  const run = isAbsolute(argument) ? null : await runAt(storage, base)
  const checkpoint = run?.checkpoints.find((one) => one.name === argument)
  if (run !== null && checkpoint !== undefined) return { run, checkpoint }
  throw await explainNone(storage, { argument, path, base, exists: there?.ok === true, run })
}

/** The checkpoint that links on the way of `path` (absolute) lead to, in the run where it lies; null where none does. */
export async function findCheckpointBehind(storage: ReadStorage, path: string): Promise<LoadedCheckpoint | null> {
  const [there] = await storage.resolve([path])
  if (there?.ok !== true || there.value === path) return null
  const behind = await findCheckpointAt(storage, there.value)
  // Somebody's link may not choose what is changed.
  if (behind !== null) storage.guard({ kind: 'run', path: behind.run.path, reachedBy: path })
  return behind
}

/**
 * The checkpoint at exactly this absolute path, or null: for arguments that may name a run as well. A file with a
 * slash in its name is its outer folder's checkpoint, though the inner one by itself would pass for a run.
 */
export async function findCheckpointAt(reading: ReadStorage, path: string): Promise<LoadedCheckpoint | null> {
  const storage = ScanTree.over(reading)
  let above = dirname(path)
  let found: LoadedCheckpoint | null = null
  for (let parts = 1; parts <= mostParts && above !== path; parts += 1) {
    found = (await findIn(storage, above, path)) ?? found
    if (found?.checkpoint.kind === 'directory' || above === dirname(above)) break
    above = dirname(above)
  }
  return found
}

async function findIn(storage: ReadStorage, folder: string, path: string): Promise<LoadedCheckpoint | null> {
  const [listing] = await storage.list([folder])
  if (listing?.ok !== true) return null
  const within = { path: folder, entries: listing.value }
  // A run is mostly asked for among hundreds of others: these are not looked into.
  if ((await isDirectory(storage, path)) && !(await mayHoldAt(storage, within, path))) return null
  const checkpoints = await scanFolder(storage, within)
  const checkpoint = checkpoints.find((one) => one.path === path)
  return checkpoint === undefined ? null : { checkpoint, run: { path: folder, checkpoints } }
}

async function isDirectory(storage: ReadStorage, path: string): Promise<boolean> {
  const [there] = await storage.lstat([path])
  return there?.ok === true && there.value.kind === 'directory'
}

async function runAt(storage: ReadStorage, base: string): Promise<Run | null> {
  try {
    return await loadRun(storage, base)
  } catch (error) {
    // The argument was not found as a path; that there is no single run to look in either is reported below.
    if (error instanceof CkptError && (error.code === 'not-found' || error instanceof SeveralRunsError)) return null
    throw error
  }
}

interface Miss {
  readonly argument: string
  readonly path: string
  readonly base: string
  readonly exists: boolean
  readonly run: Run | null
}

/** The checkpoint that a file beside it, or in a folder of the same run, is a part of. */
async function findHolder(storage: ReadStorage, path: string): Promise<LoadedCheckpoint | null> {
  let folder = path
  for (let parts = 1; parts <= mostParts && folder !== dirname(folder); parts += 1) {
    folder = dirname(folder)
    const [listing] = await storage.list([folder])
    if (listing?.ok !== true) continue
    const checkpoints = await scanFolder(storage, { path: folder, entries: listing.value })
    const checkpoint = checkpoints.find(({ members }) => members.some((one) => one.path === path))
    if (checkpoint !== undefined) return { checkpoint, run: { path: folder, checkpoints } }
  }
  return null
}

async function explainNone(storage: ReadStorage, miss: Miss): Promise<CkptError> {
  if (miss.exists) {
    const holder = (await findHolder(storage, miss.path)) ?? (await findCheckpointAt(storage, dirname(miss.path)))
    const hint =
      holder === null
        ? await explainOther(storage, miss.path)
        : `It is a part of the checkpoint ${holder.checkpoint.path}`
    return new CkptError('not-found', `${miss.path} is not a checkpoint`, { hint })
  }
  const [link] = await storage.lstat([miss.path])
  if (link?.ok === true && link.value.kind === 'link') {
    return new CkptError('not-found', `${miss.path} is a symbolic link that dangles: what it leads to is not there`)
  }
  const where = miss.run === null ? '' : `, and no checkpoint of ${miss.run.path} has that name`
  const { run, guess } = await guessMeant(storage, miss)
  const near = guess === undefined ? await pathsNear(storage, miss.path, { isFolder: false }) : [guess]
  const meant = near.length === 0 ? '' : `did you mean ${orList(near)}? `
  return new CkptError('not-found', `${miss.path}: nothing there${where}`, {
    hint: `${meant}see the names: ckpt list ${quoteWord(run?.path ?? dirname(miss.path))}`,
  })
}

/** What was named, where it is there and is neither a checkpoint nor a part of one. */
async function explainOther(storage: ReadStorage, path: string): Promise<string> {
  const [run] = await runsNear(storage, path)
  return run === undefined
    ? 'A checkpoint is what a framework saved as one, such as CKPT+…, checkpoint-500 or epoch=3.ckpt'
    : `it holds checkpoints: name one of them, or ${quoteWord(`${path}/latest`)}; see the names: ckpt list ${quoteWord(run.path)}`
}

/** The checkpoint whose name is nearest, and its run: first where the path leads, then where names are looked up. */
async function guessMeant(
  storage: ReadStorage,
  { argument, path, run: own }: Miss,
): Promise<{ run: Run | null; guess?: string }> {
  const wanted = basename(argument)
  const [word] = namesWithin(1, wanted, choosingWords)
  const near = await runsNear(storage, dirname(path))
  if (word !== undefined && (own !== null || near.length === 1)) {
    return { run: own ?? near[0] ?? null, guess: join(dirname(argument), word) }
  }
  for (const run of near) {
    const name = nearestName(
      wanted,
      run.checkpoints.map((one) => one.name),
    )
    if (name !== undefined) return { run, guess: run.path === own?.path ? name : join(run.path, name) }
  }
  const names = own?.checkpoints.map(({ name }) => name) ?? []
  const guess = nearestName(wanted, names)
  return { run: own, ...(guess === undefined ? {} : { guess }) }
}

/** Folders that are looked into for a guess, at most. */
const mostLooked = 64

/** The run in a folder, else those right below it. */
async function runsNear(storage: ReadStorage, path: string): Promise<Run[]> {
  const [listing] = await storage.list([path])
  if (listing?.ok !== true) return []
  const checkpoints = await scanFolder(storage, { path, entries: listing.value })
  if (checkpoints.length > 0) return [{ path, checkpoints }]
  const folders = listing.value.filter(({ kind }) => kind === 'directory').slice(0, mostLooked)
  const below = await storage.list(folders.map(({ name }) => join(path, name)))
  const runs: Run[] = []
  for (const [index, { name }] of folders.entries()) {
    const entries = below[index]
    if (entries?.ok !== true) continue
    const folder = { path: join(path, name), entries: entries.value }
    runs.push({ path: folder.path, checkpoints: await scanFolder(storage, folder) })
  }
  return runs.filter((run) => run.checkpoints.length > 0)
}
