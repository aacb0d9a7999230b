/** Taking from a checkpoint what only resuming needs; its weights stay where they are. */
import { dirname, join } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import {
  demotionPath,
  forgetDemotion,
  readDemotions,
  removeDrafts,
  removeEmpty,
  writeDemotion,
  type Demotion,
  type DroppedEntry,
  type StateFolder,
} from '../state/index.js'
import type { Stat, Storage } from '../../storage/storage.js'
import { attempt, breathe } from './attempt.js'
import type { Fingerprints } from './fingerprint.js'
import { leftoversOf, type Leftover } from './leftovers.js'
import type { Wait } from '../../storage/retry.js'
import type { RemovalFailure } from './remove-checkpoints.js'
import { removeTree } from './remove-tree.js'
import { lookAgain, refuseOutside } from './take-away.js'

export interface Demoting {
  readonly checkpoint: Checkpoint
  /** Names of files and folders right in the checkpoint's folder, at least one. */
  readonly drop: readonly string[]
}

export interface FinishOptions {
  readonly wait: Wait
  /**
   * Gives `to` the modification time of `from`, to the nanosecond, and says whether it could. Node's own call rounds
   * to a quarter of a microsecond, which is what remains where this cannot.
   */
  readonly copyTime?: ((from: string, to: string) => Promise<boolean>) | undefined
}

export interface DemoteOptions extends FinishOptions {
  readonly planned: Fingerprints
  /** Unix seconds. */
  readonly now: number
  /** Stops before the next checkpoint. */
  readonly signal?: AbortSignal | undefined
}

export interface Demoted {
  readonly demoted: readonly Checkpoint[]
  /** These stay as they were, and why. */
  readonly failed: readonly RemovalFailure[]
  /** These stay as they were, for the signal came first. */
  readonly remaining: readonly Checkpoint[]
  /** Bytes that the medium got back. */
  readonly freedBytes: number
  /** What could not be removed of `demoted`; the next demotion or prune finishes it. */
  readonly leftovers: readonly Leftover[]
}

/**
 * Demotes each checkpoint of the run, once it has been looked at again. Under the run's lock only.
 *
 * First a record of what goes is written and made durable in the state folder, then the files go, then the folder
 * gets its time back. So at any stop the checkpoint is whole, or the record explains what it lacks and
 * `finishDemotions` does the rest. Never throws for one checkpoint's sake.
 */
export async function demoteCheckpoints(
  storage: Storage,
  run: string,
  state: StateFolder,
  demotings: readonly Demoting[],
  options: DemoteOptions,
): Promise<Demoted> {
  const demoted: Checkpoint[] = []
  const failed: RemovalFailure[] = []
  const leftovers: Leftover[] = []
  let freedBytes = 0
  for (const [index, demoting] of demotings.entries()) {
    await breathe()
    if (options.signal?.aborted === true) {
      const remaining = demotings.slice(index).map(({ checkpoint }) => checkpoint)
      return { demoted, failed, remaining, freedBytes, leftovers }
    }
    const outcome = await attempt(() => demoteOne(storage, run, state, demoting, options))
    if (outcome instanceof CkptError) failed.push({ name: demoting.checkpoint.name, error: outcome })
    else {
      demoted.push(demoting.checkpoint)
      leftovers.push(...outcome.leftovers)
      freedBytes += outcome.freedBytes
    }
  }
  return { demoted, failed, remaining: [], freedBytes, leftovers }
}

interface Dropped {
  readonly freedBytes: number
  readonly leftovers: readonly Leftover[]
}

async function demoteOne(
  storage: Storage,
  run: string,
  state: StateFolder,
  { checkpoint, drop }: Demoting,
  options: DemoteOptions,
): Promise<Dropped> {
  await refuseOutside(storage, run, checkpoint)
  await lookAgain(storage, checkpoint, options.planned)
  const demotion = await describe(storage, checkpoint, drop, options.now)
  const record = await writeDemotion(storage, state, demotion)
  await options.copyTime?.(checkpoint.path, record)
  const dropped = await dropEntries(storage, checkpoint.path, demotion, options.wait)
  const [failure] = dropped.leftovers
  if (failure !== undefined && dropped.removed === 0) {
    await forgetDemotion(storage, state, demotion.name)
    throw failure.error
  }
  return concluded(storage, checkpoint.path, state, demotion, dropped, options)
}

/** What went is gone, whatever fails after it: that is told as something left over. */
async function concluded(
  storage: Storage,
  folder: string,
  state: StateFolder,
  demotion: Demotion,
  dropped: Dropped,
  options: FinishOptions,
): Promise<Dropped> {
  const finished = dropped.leftovers.length === 0
  const failure = await attempt(() => conclude(storage, folder, state, demotion, finished, options))
  if (!(failure instanceof CkptError)) return dropped
  return { ...dropped, leftovers: [...dropped.leftovers, { path: folder, error: failure }] }
}

async function describe(storage: Storage, checkpoint: Checkpoint, drop: readonly string[], now: number) {
  const paths = drop.map((name) => join(checkpoint.path, name))
  const [folder, ...stats] = await storage.lstat([checkpoint.path, ...paths])
  if (folder?.ok !== true) throw folder?.error ?? new CkptError('not-found', `${checkpoint.path}: gone`)
  const dropped = drop.map((name, index): DroppedEntry => {
    const stat = stats[index]
    if (stat?.ok !== true) throw stat?.error ?? new CkptError('not-found', `${checkpoint.path}/${name}: gone`)
    const key = checkpoint.files.find((file) => file.path === paths[index])?.key ?? null
    return { name, key, ...markOf(stat.value) }
  })
  return { name: checkpoint.name, time: now, modified: folder.value.modified, dropped, finished: false }
}

function markOf(stat: Stat): Omit<DroppedEntry, 'name' | 'key'> {
  const size = stat.kind === 'directory' ? 0 : stat.size
  return { inode: stat.inode.toString(), size, modified: stat.kind === 'directory' ? 0 : stat.modified }
}

async function dropEntries(storage: Storage, folder: string, { dropped }: Demotion, wait: Wait) {
  const leftovers: Leftover[] = []
  let freedBytes = 0
  let removed = 0
  for (const { name } of dropped) {
    const removal = await removeTree(storage, join(folder, name), wait)
    freedBytes += removal.freedBytes
    removed += removal.removed
    leftovers.push(...leftoversOf(removal))
  }
  return { freedBytes, leftovers, removed }
}

/** The folder's time is the one it had, for Hugging Face's Trainer rotates by it; then nothing is left to do. */
async function conclude(
  storage: Storage,
  folder: string,
  state: StateFolder,
  demotion: Demotion,
  finished: boolean,
  { copyTime }: FinishOptions,
): Promise<void> {
  const exact = (await copyTime?.(demotionPath(state, demotion.name), folder)) ?? false
  if (!exact) await storage.setTimes(folder, demotion.modified, demotion.modified)
  await storage.syncDirectory(folder)
  if (finished) await writeDemotion(storage, state, { ...demotion, finished })
}

/**
 * Does what an interrupted demotion left to do; gives how many were finished and the bytes freed. Under the run's
 * lock only. Only what the record knows goes: a file saved anew under the name stays. One of which nothing had gone
 * is forgotten, and its checkpoint is whole.
 */
export async function finishDemotions(
  storage: Storage,
  run: string,
  state: StateFolder,
  options: FinishOptions,
): Promise<{ readonly count: number; readonly freedBytes: number; readonly leftovers: readonly Leftover[] }> {
  const leftovers: Leftover[] = []
  let count = 0
  let freedBytes = 0
  for (const demotion of (await readDemotions(storage, state)).values()) {
    const outcome = await attempt(() => finishOne(storage, join(run, demotion.name), state, demotion, options))
    if (outcome instanceof CkptError) leftovers.push({ path: join(run, demotion.name), error: outcome })
    else if (outcome !== null) {
      count += outcome.leftovers.length === 0 ? 1 : 0
      freedBytes += outcome.freedBytes
      leftovers.push(...outcome.leftovers)
    }
  }
  await removeDrafts(storage, state)
  await removeEmpty(storage, state, 'demoted')
  return { count, freedBytes, leftovers }
}

/** Null when there was nothing to do. */
async function finishOne(
  storage: Storage,
  folder: string,
  state: StateFolder,
  demotion: Demotion,
  options: FinishOptions,
): Promise<Dropped | null> {
  const [whole, ...stats] = await storage.lstat([folder, ...demotion.dropped.map(({ name }) => join(folder, name))])
  const there = demotion.dropped.filter((_, index) => stats[index]?.ok === true)
  // It is gone (nothing is known of one that cannot be looked at), or everything is there: whole, or saved anew.
  const isGone = whole?.ok === false && whole.error.code === 'not-found' && (await isFolder(storage, dirname(folder)))
  if (isGone || (whole?.ok === true && there.length === demotion.dropped.length)) {
    await forgetDemotion(storage, state, demotion.name)
    return null
  }
  if (demotion.finished || whole?.ok !== true) return null
  const known = there.filter((entry) => {
    const stat = stats[demotion.dropped.indexOf(entry)]
    return stat?.ok === true && isMarked(entry, markOf(stat.value))
  })
  const dropped = await dropEntries(storage, folder, { ...demotion, dropped: known }, options.wait)
  return concluded(storage, folder, state, demotion, dropped, options)
}

function isMarked(entry: DroppedEntry, mark: Omit<DroppedEntry, 'name' | 'key'>): boolean {
  return entry.inode === mark.inode && entry.size === mark.size && entry.modified === mark.modified
}

async function isFolder(storage: Storage, path: string): Promise<boolean> {
  const [stat] = await storage.stat([path])
  return stat?.ok === true && stat.value.kind === 'directory'
}
