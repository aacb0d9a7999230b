/** A run and its checkpoints, looked at as deep as the question needs. */
import { resolve } from 'node:path'
import type { Checkpoint, HealthLevel, Run } from '../../checkpoint.js'
import { checkHealth, checkStructure, type HealthOptions } from '../../checkpoints/health/index.js'
import {
  compareText,
  complete,
  findCheckpointAt,
  findCheckpointBehind,
  loadRun,
  loadRunAt,
  measure,
  NoRunError,
  walkFrom,
  type LoadedCheckpoint,
  type SearchBounds,
  type TotalSize,
  type WalkedRun,
  type WalkOptions,
} from '../../checkpoints/layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { loadByWord, loadNamed } from './checkpoint-by-word.js'
import { withKnownSettings } from './with-settings.js'
import { withDemotions, type StateLocation } from './run-with-state.js'

/** The run at or below `path` (absolute) with the health that names and meta tell. Throws as `loadRun` does. */
export async function openRun(
  storage: ReadStorage,
  path: string,
  options: StateLocation & SearchBounds = {},
): Promise<Run> {
  return graded(await withDemotions(storage, await loadRun(storage, path, options), options))
}

/** The run at exactly `path` (absolute), likewise: what a plan names is searched for nowhere else. */
export async function openRunAt(storage: ReadStorage, path: string, stateLocation: StateLocation = {}): Promise<Run> {
  return graded(await withDemotions(storage, await loadRunAt(storage, path), stateLocation))
}

/**
 * The same for a job that may be the first of its run: null where nothing has been saved yet. A folder that cannot be
 * read, a link that dangles and the like throw: they do not mean that there is nothing.
 */
export async function openRunIfAny(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation = {},
): Promise<Run | null> {
  try {
    return await openRun(storage, path, stateLocation)
  } catch (error) {
    if (error instanceof NoRunError) return null
    throw error
  }
}

/** The runs alone. */
export async function openRuns(
  storage: ReadStorage,
  path: string,
  options: StateLocation & WalkOptions = {},
): Promise<Run[]> {
  return [...(await searchRuns(storage, path, options)).runs]
}

/** Runs, and the storage by which to go on reading them: what their search has listed is not listed again. */
export interface OpenedRuns {
  readonly runs: readonly Run[]
  readonly storage: ReadStorage
}

/**
 * All runs at or below `path` (absolute), likewise, sorted by path. `prepare` is asked of each as it is found, while what
 * is read is remembered.
 */
export async function searchRuns(
  storage: ReadStorage,
  path: string,
  options: StateLocation & WalkOptions = {},
  prepare: (found: WalkedRun) => Promise<Run> = async ({ run }) => Promise.resolve(run),
): Promise<OpenedRuns> {
  const runs: Run[] = []
  let reading = storage
  for await (const found of eachRun(storage, path, { ...options, keepsListings: true })) {
    runs.push(await prepare(found))
    reading = found.storage
  }
  return { runs: runs.sort((a, b) => compareText(a.path, b.path)), storage: reading }
}

/**
 * The run with all that small files beside its metas tell, and what it was started with where that is asked for: read
 * here, so that it is remembered with the rest.
 */
export async function readWhole({ run, storage }: WalkedRun, withSettings: boolean): Promise<Run> {
  const checkpoints = await complete(storage, run.checkpoints)
  if (!withSettings) return { ...run, checkpoints }
  const { readHyperParameters } = await import('../../checkpoints/hyperparameters/read.js')
  const { all } = await readHyperParameters(storage, run)
  return { ...run, checkpoints: withKnownSettings(checkpoints, all) }
}

/** The same one by one as they are found, for those who need only a part of each. */
export async function* eachRun(
  storage: ReadStorage,
  path: string,
  options: StateLocation & WalkOptions = {},
): AsyncGenerator<WalkedRun> {
  for await (const found of walkFrom(storage, path, options)) {
    const isKnown = options.earlier?.runs.has(found.run.path) === true
    yield isKnown ? found : { ...found, run: graded(await withDemotions(found.storage, found.run, options)) }
  }
}

/** The checkpoint that someone typed, in its run, as `openRun` gives it. Throws as `loadNamed` does. */
export async function openCheckpoint(
  storage: ReadStorage,
  argument: string,
  base: string,
  stateLocation: StateLocation = {},
): Promise<LoadedCheckpoint> {
  return known(storage, await loadNamed(storage, argument, base), stateLocation)
}

/** The checkpoint at exactly this path (absolute) or null, likewise. */
async function openCheckpointAt(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation = {},
): Promise<LoadedCheckpoint | null> {
  const loaded = await findCheckpointAt(storage, path)
  return loaded === null ? null : known(storage, loaded, stateLocation)
}

/** What someone named: a checkpoint in its run, a run, or some other file (absolute). */
export type Named =
  | ({ readonly kind: 'checkpoint' } & LoadedCheckpoint)
  | { readonly kind: 'run'; readonly run: Run }
  | { readonly kind: 'file'; readonly path: string }

/** The same for an argument that may name any of the three. Throws as `openCheckpoint` and `openRun` do. */
export async function openNamed(
  storage: ReadStorage,
  argument: string,
  base: string,
  stateLocation: StateLocation = {},
): Promise<Named> {
  const path = resolve(base, argument)
  const at = await openCheckpointAt(storage, path, stateLocation)
  if (at !== null) return { kind: 'checkpoint', ...at }
  const chosen = await loadByWord(storage, argument, base)
  if (chosen !== null) return { kind: 'checkpoint', ...(await known(storage, chosen, stateLocation)) }
  const [named] = await storage.lstat([path])
  const isLink = named?.ok === true && named.value.kind === 'link'
  const behind = isLink ? await findCheckpointBehind(storage, path) : null
  if (behind !== null) return { kind: 'checkpoint', ...(await known(storage, behind, stateLocation)) }
  const [there] = await storage.stat([path])
  if (there?.ok === true) {
    const { kind } = there.value
    if (kind === 'directory') return { kind: 'run', run: await openRun(storage, path, stateLocation) }
    if (kind === 'file') return { kind: 'file', path }
  }
  return { kind: 'checkpoint', ...(await openCheckpoint(storage, argument, base, stateLocation)) }
}

async function known(
  storage: ReadStorage,
  loaded: LoadedCheckpoint,
  stateLocation: StateLocation,
): Promise<LoadedCheckpoint> {
  const run = await withDemotions(storage, loaded.run, stateLocation)
  const checkpoint = run.checkpoints.find(({ path }) => path === loaded.checkpoint.path) ?? loaded.checkpoint
  return { ...loaded, run, checkpoint }
}

function graded(run: Run): Run {
  return { ...run, checkpoints: checkStructure(run.checkpoints) }
}

export interface ExamineOptions extends HealthOptions {
  /** Takes up the bytes that they have together. */
  readonly total?: TotalSize
}

/**
 * Everything there is to know of `which`: sizes, times, steps from side files, and health at this depth. `siblings`
 * are all checkpoints of their run.
 */
export async function examine(
  storage: ReadStorage,
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
  level: HealthLevel,
  options: ExamineOptions = {},
): Promise<Checkpoint[]> {
  return grade(storage, siblings, await measure(storage, which, options.total), level, options)
}

/** The same of `measured`, whose sizes and times are known. */
export async function grade(
  storage: ReadStorage,
  siblings: readonly Checkpoint[],
  measured: readonly Checkpoint[],
  level: HealthLevel,
  options: HealthOptions = {},
): Promise<Checkpoint[]> {
  if (level === 'none') return checkStructure(siblings, measured)
  return checkHealth(storage, siblings, measured, level, options)
}

/** The same in order, where `checkpoints` and `which` may be those of several runs. */
export async function examineAcross(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  which: readonly Checkpoint[],
  level: HealthLevel,
  options: HealthOptions = {},
): Promise<Checkpoint[]> {
  const examined = new Map<string, Checkpoint>()
  for (const run of new Set(which.map((checkpoint) => checkpoint.run))) {
    const asked = which.filter((checkpoint) => checkpoint.run === run)
    const answers = await examine(storage, siblingsIn(checkpoints, run), asked, level, options)
    for (const checkpoint of answers) examined.set(checkpoint.path, checkpoint)
  }
  return which.map((checkpoint) => examined.get(checkpoint.path) ?? checkpoint)
}

/** One checkpoint, examined; `checkpoints` may be those of several runs. */
export async function examineOne(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  checkpoint: Checkpoint,
  level: HealthLevel,
  options: HealthOptions = {},
): Promise<Checkpoint> {
  const [examined] = await examine(storage, siblingsIn(checkpoints, checkpoint.run), [checkpoint], level, options)
  return examined ?? checkpoint
}

/** By list and run: the same list for the same run, of which much is known once it was asked about. */
const siblings = new WeakMap<readonly Checkpoint[], Map<string, readonly Checkpoint[]>>()

function siblingsIn(checkpoints: readonly Checkpoint[], run: string): readonly Checkpoint[] {
  const byRun = siblings.get(checkpoints) ?? new Map<string, readonly Checkpoint[]>()
  siblings.set(checkpoints, byRun)
  const own = byRun.get(run) ?? checkpoints.filter((one) => one.run === run)
  byRun.set(run, own)
  return own
}
