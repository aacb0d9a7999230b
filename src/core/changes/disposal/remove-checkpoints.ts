/** The only way in which checkpoints are deleted (docs/design.md §6). */
import { dirname, join } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { Breaths } from '../../storage/yield-to-events.js'
import { errorAsValue } from './error-as-value.js'
import type { Fingerprints } from './fingerprint.js'
import { findLeftovers, finishLeftovers, interrupted, leftoversOf, type RemovalLeftover } from './leftovers.js'
import type { Wait } from '../../storage/retry.js'
import { guardRun } from './guard-run.js'
import { TreeRemover } from './remove-tree.js'
import { removeEmpty, stateFolderOf } from '../state/index.js'
import { foldersOf } from './members.js'
import { holdsPending, putBackGroups } from './groups.js'
import { deleting, folderOf, Mover, underItsName, type Moved } from './take-away.js'

export interface RemoveOptions {
  /** What `fingerprint` gave when the plan was made; a checkpoint without one is not removed. */
  readonly planned: Fingerprints
  readonly wait: Wait
  /** Stands for `<parent of the run>/.ckpt/<run's name>`. */
  readonly stateDirectory?: string
  /** Stops before the next checkpoint. */
  readonly signal?: AbortSignal
  /** Called after a checkpoint's bytes are gone; `done` of `total` are. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface RemovalFailure {
  readonly name: string
  readonly error: CkptError
}

export interface RemovalResult {
  /** These have left their names, be it that somebody else was faster. */
  readonly removed: readonly Checkpoint[]
  /** These stay, whole, and why. */
  readonly failed: readonly RemovalFailure[]
  /** These stay, whole, for the signal came first. */
  readonly remaining: readonly Checkpoint[]
  /** Bytes that the medium got back from `removed`: holes count 0, a hard-linked file when its last name goes. */
  readonly freedBytes: number
  readonly leftovers: readonly RemovalLeftover[]
  /** What earlier, interrupted removals had left behind and this one finished. */
  readonly finished: { readonly count: number; readonly freedBytes: number }
}

/**
 * Removes exactly these checkpoints of the run. Each is looked at again just before: one that is no longer what was
 * planned stays and is reported in `failed`.
 *
 * First each checkpoint leaves its name by one rename, into `deleting/` in the state folder, then the renames are
 * made durable, then the bytes go; so at any stop each is whole under its name, or gone. A thousand go together, so that
 * no more looks than theirs are in memory. Where the state folder cannot be made or lies on another file system, the
 * rename goes to a hidden neutral name beside the checkpoint.
 *
 * Never throws for one entry's sake. An empty list only finishes what earlier removals left.
 */
export async function removeCheckpoints(
  storage: Storage,
  run: string,
  checkpoints: readonly Checkpoint[],
  options: RemoveOptions,
): Promise<RemovalResult> {
  const state = await stateFolderOf(storage, run, options.stateDirectory)
  guardRun(storage, run)
  const pending = await putBackGroups(storage, run, state)
  const found = await findLeftovers(storage, [join(state.path, deleting), run, ...checkpoints.map(folderOf)])
  const earlier = found.filter((path) => !holdsPending(path, pending))
  const destination = { state, name: deleting, orBeside: true, isPrivate: true }
  const mover = new Mover(storage, run, destination, options.planned, options.wait)
  const { removed, failed, remaining, freedBytes, leftovers } = await removeAll(storage, mover, checkpoints, options)
  await mover.close()
  const finished = await finishLeftovers(storage, earlier, options.wait, options.signal)
  await removeEmpty(storage, state, deleting)
  return {
    removed,
    failed,
    remaining,
    freedBytes,
    leftovers: [...leftovers, ...finished.leftovers],
    finished: { count: finished.count, freedBytes: finished.freedBytes },
  }
}

/** Checkpoints that leave their names before the first one's bytes go. */
const atOnce = 1000

async function removeAll(
  storage: Storage,
  mover: Mover,
  checkpoints: readonly Checkpoint[],
  options: RemoveOptions,
): Promise<Emptied> {
  const all = new Emptied()
  let done = 0
  let total = checkpoints.length
  for (let start = 0; start < checkpoints.length; start += atOnce) {
    const some = checkpoints.slice(start, start + atOnce)
    const { moved, gone, failed, remaining } = await takeAway(mover, some, options.signal)
    total -= some.length - moved.length
    all.failed.push(...failed)
    await emptyOut(storage, mover, moved, options, all, () => options.onProgress?.((done += 1), total))
    all.removed.push(...gone)
    all.remaining.push(...remaining)
  }
  return all
}

export interface Taken {
  readonly moved: readonly Moved[]
  readonly failed: readonly RemovalFailure[]
  /** Somebody else removed these meanwhile: the framework's own rotation. */
  readonly gone: readonly Checkpoint[]
  readonly remaining: readonly Checkpoint[]
}

/** Each leaves its name; goes on past one that cannot. */
export async function takeAway(
  mover: Mover,
  checkpoints: readonly Checkpoint[],
  signal: AbortSignal | undefined,
): Promise<Taken> {
  try {
    return await takeEach(mover, checkpoints, signal)
  } finally {
    await mover.letGo()
  }
}

/** Checkpoints that are looked at again before the first of them goes: a few milliseconds. */
const lookedAtTogether = 16

async function takeEach(
  mover: Mover,
  checkpoints: readonly Checkpoint[],
  signal: AbortSignal | undefined,
): Promise<Taken> {
  const moved: Moved[] = []
  const failed: RemovalFailure[] = []
  const gone: Checkpoint[] = []
  const breaths = new Breaths()
  let looks: Fingerprints = new Map()
  let looked = 0
  for (const [index, checkpoint] of checkpoints.entries()) {
    await breaths.next(0)
    if (signal?.aborted === true) return { moved, failed, gone, remaining: checkpoints.slice(index) }
    if (index >= looked) {
      looked = index + lookedAtTogether
      looks = await mover.look(checkpoints.slice(index, looked))
    }
    const outcome = await errorAsValue(() => mover.move(checkpoint, looks))
    if (!(outcome instanceof CkptError)) {
      moved.push(outcome)
      continue
    }
    if (await mover.isGone(checkpoint)) gone.push(checkpoint)
    else failed.push({ name: checkpoint.name, error: outcome })
    // That can have taken a second.
    looked = index + 1
  }
  return { moved, failed, gone, remaining: [] }
}

class Emptied {
  readonly removed: Checkpoint[] = []
  readonly failed: RemovalFailure[] = []
  readonly remaining: Checkpoint[] = []
  readonly leftovers: RemovalLeftover[] = []
  freedBytes = 0
}

/** The bytes of what was moved go, once the renames are durable; each is noted in `emptied`. */
async function emptyOut(
  storage: Storage,
  mover: Mover,
  moved: readonly Moved[],
  options: Pick<RemoveOptions, 'wait' | 'signal'>,
  emptied: Emptied,
  onEach: () => void,
): Promise<void> {
  if (moved.length === 0) return
  const undurable = await makeDurable(storage, moved)
  const remover = new TreeRemover(storage, options.wait)
  const breaths = new Breaths()
  for (const one of moved) {
    await breaths.next(one.checkpoint.size ?? Infinity)
    const stop = undurable ?? (options.signal?.aborted === true ? interrupted(one.at) : null)
    if (stop === null) await emptyOne(remover, mover, one, emptied)
    else await keep(mover, one, stop, emptied)
    onEach()
  }
  await remover.close()
}

async function emptyOne(remover: TreeRemover, mover: Mover, one: Moved, emptied: Emptied): Promise<void> {
  const removal = await remover.remove(one.at, one.print)
  const [failure] = removal.failures
  if (failure !== undefined && removal.removed === 0) return keep(mover, one, failure, emptied)
  emptied.removed.push(one.checkpoint)
  emptied.leftovers.push(...leftoversOf(removal))
  emptied.freedBytes += removal.freedBytes
}

/** Nothing of it has gone yet, so it gets its name back. */
async function keep(mover: Mover, one: Moved, why: CkptError, emptied: Emptied): Promise<void> {
  const back = await errorAsValue(() => mover.giveBack(one))
  if (back instanceof CkptError) {
    emptied.removed.push(one.checkpoint)
    emptied.leftovers.push({ path: one.at, error: why })
  } else if (why.code === 'interrupted') emptied.remaining.push(one.checkpoint)
  else emptied.failed.push({ name: one.checkpoint.name, error: underItsName(one, why) })
}

/** Bytes must not go before the renames have reached the medium: a power failure would leave half a checkpoint. */
export async function makeDurable(storage: Storage, moved: readonly Moved[]): Promise<CkptError | null> {
  const folders = new Set(moved.flatMap(({ checkpoint, at }) => [dirname(at), ...foldersOf(checkpoint.members)]))
  for (const folder of folders) {
    const failure = await errorAsValue(() => storage.syncDirectory(folder))
    if (failure instanceof CkptError) return failure
  }
  return null
}
