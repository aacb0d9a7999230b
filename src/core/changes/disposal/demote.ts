/** Deletes the files of a checkpoint that only resuming needs; its weights stay. */
import { basename, dirname, join } from 'node:path'
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
import type { FolderHandle, Stat, Storage } from '../../storage/storage.js'
import { yieldToEvents } from '../../storage/yield-to-events.js'
import { errorAsValue } from './error-as-value.js'
import type { Fingerprint, Fingerprints } from './fingerprint.js'
import { leftoversOf, type RemovalLeftover } from './leftovers.js'
import { folderOfParts } from './members.js'
import type { Wait } from '../../storage/retry.js'
import type { RemovalFailure } from './remove-checkpoints.js'
import { guardRun } from './guard-run.js'
import { removeEntry } from './remove-tree.js'
import { lookAgain, refuseOutside } from './take-away.js'

export interface Demoting {
  readonly checkpoint: Checkpoint
  /** Names of files and folders right in the checkpoint's folder, or of files of a group; at least one. */
  readonly drop: readonly string[]
}

export interface FinishOptions {
  readonly wait: Wait
  /**
   * Gives it the modification time of `from`, to the nanosecond, and says whether it could. Node's own call rounds
   * to a quarter of a microsecond, which is what remains where this cannot.
   */
  readonly copyTime?: CopyTime | undefined
}

/** `to` is a name in the folder, or `.` for the folder itself; no link is followed there. */
export type CopyTime = (from: string, folder: FolderHandle, to: string) => Promise<boolean>

/** Why an unfinished demotion is not to be finished, in words; null when it is. */
export type WhyNotFinish = (demotion: Demotion) => Promise<string | null>

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
  readonly leftovers: readonly RemovalLeftover[]
}

/**
 * Demotes each checkpoint of the run, once it has been looked at again. Under the run's lock only.
 *
 * First a record of what goes is written and made durable in the state folder, then the files go, then a checkpoint that
 * is a folder gets its time back. So at any stop the checkpoint is whole, or the record explains what it lacks and
 * `finishDemotions` does the rest. Never throws for one checkpoint's sake.
 */
export async function demoteCheckpoints(
  storage: Storage,
  run: string,
  state: StateFolder,
  demotings: readonly Demoting[],
  options: DemoteOptions,
): Promise<Demoted> {
  guardRun(storage, run)
  const demoted: Checkpoint[] = []
  const failed: RemovalFailure[] = []
  const leftovers: RemovalLeftover[] = []
  let freedBytes = 0
  for (const [index, demoting] of demotings.entries()) {
    await yieldToEvents()
    if (options.signal?.aborted === true) {
      const remaining = demotings.slice(index).map(({ checkpoint }) => checkpoint)
      return { demoted, failed, remaining, freedBytes, leftovers }
    }
    const outcome = await errorAsValue(() => demoteOne(storage, run, state, demoting, options))
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
  readonly leftovers: readonly RemovalLeftover[]
}

async function demoteOne(
  storage: Storage,
  run: string,
  state: StateFolder,
  { checkpoint, drop }: Demoting,
  options: DemoteOptions,
): Promise<Dropped> {
  await refuseOutside(storage, run, checkpoint)
  const print = await lookAgain(storage, checkpoint, options.planned)
  const folder = await storage.openFolder(folderOfParts(checkpoint))
  try {
    const demotion = await describe(folder, { checkpoint, drop }, print, options.now)
    const record = await writeDemotion(storage, state, demotion)
    if (hasOwnTime(folder, demotion)) await rememberTime(storage, folder.path, record, options)
    const dropped = await dropEntries(folder, demotion.dropped, options.wait)
    const [failure] = dropped.leftovers
    if (failure !== undefined && dropped.removed === 0) {
      await forgetDemotion(storage, state, demotion.name)
      throw failure.error
    }
    return await concluded(storage, folder, state, demotion, dropped, options)
  } finally {
    await folder.close()
  }
}

function replaced({ name }: Checkpoint): CkptError {
  return new CkptError('refused', `${name}: changed since the plan was made: it was replaced`, {
    hint: 'nothing of it was removed; make a new plan',
  })
}

/** The record keeps the time of the checkpoint's folder, to the nanosecond. */
async function rememberTime(storage: Storage, from: string, record: string, { copyTime }: FinishOptions) {
  if (copyTime === undefined) return
  const folder = await storage.openFolder(dirname(record))
  await copyTime(from, folder, basename(record))
  await folder.close()
}

/** What went is gone, whatever fails after it: that is reported as something left over. */
async function concluded(
  storage: Storage,
  folder: FolderHandle,
  state: StateFolder,
  demotion: Demotion,
  dropped: Dropped,
  options: FinishOptions,
): Promise<Dropped> {
  const finished = dropped.leftovers.length === 0
  const failure = await errorAsValue(() => conclude(storage, folder, state, demotion, finished, options))
  if (!(failure instanceof CkptError)) return dropped
  return { ...dropped, leftovers: [...dropped.leftovers, { path: folder.path, error: failure }] }
}

/** Throws CkptError where the folder that is held open has not what was planned. */
async function describe(folder: FolderHandle, { checkpoint, drop }: Demoting, print: Fingerprint, now: number) {
  const dropped: DroppedEntry[] = []
  for (const name of drop) {
    const [path, mark, stat] = [join(folder.path, name), print.get(name), await folder.lstat(name)]
    if (mark?.inode !== stat.inode || mark.device !== stat.device) throw replaced(checkpoint)
    const key = checkpoint.files.find((file) => file.path === path)?.key ?? null
    dropped.push({ name, key, ...markOf(stat) })
  }
  return { name: checkpoint.name, time: now, modified: folder.stat.modified, dropped, finished: false }
}

function markOf(stat: Stat): Omit<DroppedEntry, 'name' | 'key'> {
  const size = stat.kind === 'directory' ? 0 : stat.size
  return { inode: stat.inode.toString(), size, modified: stat.kind === 'directory' ? 0 : stat.modified }
}

/** A file that was saved anew under the name meanwhile stays. */
async function dropEntries(folder: FolderHandle, dropped: readonly DroppedEntry[], wait: Wait) {
  const leftovers: RemovalLeftover[] = []
  let freedBytes = 0
  let removed = 0
  for (const entry of dropped) {
    const now = await errorAsValue(() => folder.lstat(entry.name))
    if (!(now instanceof CkptError) && !isMarked(entry, markOf(now))) continue
    const removal = await removeEntry(folder, entry.name, wait)
    freedBytes += removal.freedBytes
    removed += removal.removed
    leftovers.push(...leftoversOf(removal))
  }
  return { freedBytes, leftovers, removed }
}

/** The folder is the checkpoint itself, and not the one in which a group's files lie among others. */
function hasOwnTime(folder: FolderHandle, { name }: Pick<Demotion, 'name'>): boolean {
  return folder.path.endsWith(`/${name}`)
}

/** The folder's time is the one it had, for Hugging Face's Trainer rotates by it; then nothing is left to do. */
async function conclude(
  storage: Storage,
  folder: FolderHandle,
  state: StateFolder,
  demotion: Demotion,
  finished: boolean,
  { copyTime }: FinishOptions,
): Promise<void> {
  if (hasOwnTime(folder, demotion)) {
    const exact = (await copyTime?.(demotionPath(state, demotion.name), folder, '.')) ?? false
    if (!exact) await storage.setTimes(folder.path, demotion.modified, demotion.modified)
  }
  await storage.syncDirectory(folder.path)
  if (finished) await writeDemotion(storage, state, { ...demotion, finished })
}

/**
 * Does what an interrupted demotion left to do; gives how many were finished and the bytes freed. Under the run's
 * lock only. Only what the record knows goes: a file saved anew under the name stays. One of which nothing had gone
 * is forgotten, and its checkpoint is whole. One that is not believed is reported and changes nothing.
 */
export async function finishDemotions(
  storage: Storage,
  run: string,
  state: StateFolder,
  whyNot: WhyNotFinish,
  options: FinishOptions,
): Promise<{ readonly count: number; readonly freedBytes: number; readonly leftovers: readonly RemovalLeftover[] }> {
  const leftovers: RemovalLeftover[] = []
  let count = 0
  let freedBytes = 0
  guardRun(storage, run)
  for (const demotion of (await readDemotions(storage, state)).values()) {
    const outcome = await errorAsValue(() =>
      finishOne(storage, join(run, demotion.name), state, demotion, whyNot, options),
    )
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
  path: string,
  state: StateFolder,
  demotion: Demotion,
  whyNot: WhyNotFinish,
  options: FinishOptions,
): Promise<Dropped | null> {
  const [whole] = await storage.lstat([path])
  const kind = whole?.ok === true ? whole.value.kind : 'directory'
  if (kind !== 'directory' && kind !== 'file') return disbelieved(storage, demotion, 'it is neither file nor folder')
  const folder = kind === 'file' ? dirname(path) : path
  const stats = await storage.lstat(demotion.dropped.map(({ name }) => join(folder, name)))
  const there = demotion.dropped.filter((_, index) => stats[index]?.ok === true)
  // It is gone (nothing is known of one that cannot be looked at), or everything is there: whole, or saved anew.
  const isGone = whole?.ok === false && whole.error.code === 'not-found' && (await isFolder(storage, dirname(path)))
  if (isGone || (whole?.ok === true && there.length === demotion.dropped.length)) {
    await forgetDemotion(storage, state, demotion.name)
    return null
  }
  if (demotion.finished || whole?.ok !== true) return null
  const why = await whyNot(demotion)
  if (why !== null) return disbelieved(storage, demotion, why)
  const held = await storage.openFolder(folder)
  try {
    const dropped = await dropEntries(held, there, options.wait)
    return await concluded(storage, held, state, demotion, dropped, options)
  } finally {
    await held.close()
  }
}

function disbelieved(storage: Storage, { name }: Demotion, why: string): null {
  storage.custody.warn(`${name}: a record says that a demotion of it was interrupted, and is not believed: ${why}`)
  return null
}

function isMarked(entry: DroppedEntry, mark: Omit<DroppedEntry, 'name' | 'key'>): boolean {
  return entry.inode === mark.inode && entry.size === mark.size && entry.modified === mark.modified
}

async function isFolder(storage: Storage, path: string): Promise<boolean> {
  const [stat] = await storage.stat([path])
  return stat?.ok === true && stat.value.kind === 'directory'
}
