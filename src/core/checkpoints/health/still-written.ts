/** Is a checkpoint still being written? Two looks at its files, a second apart (docs/design.md §6). */
import { withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import { batches, listFiles, ScanTree, uniteFindings, type MeasuredFile } from '../layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/** Milliseconds between the two looks. */
export const lookInterval = 1000
/** Seconds. A writer touches its file far more often than that, and clocks of file servers differ by far less. */
const recent = 3600

/** Seconds, for those who delete nothing: where clocks differ they may miss one, and who deletes later does not. */
const justNow = 60

/**
 * More young ones than that were copied or unpacked, for a job writes one at a time. What is being written, by whom ever,
 * is among the newest then: the times of one file server are in order, whatever its clock says.
 */
const mostAtOnce = 1000

/**
 * Those of measured checkpoints that may still be written. Who only asks does not wait where nothing hints at a writer.
 */
export function mayBeWritten<C extends Pick<Checkpoint, 'modified'>>(
  checkpoints: readonly C[],
  now: number,
  onlyAsks: boolean,
): readonly C[] {
  const since = now - (onlyAsks ? justNow : recent)
  const young = checkpoints.filter(({ modified }) => modified === null || modified > since)
  if (young.length <= mostAtOnce) return young
  return onlyAsks ? [] : newestOf(young)
}

/** In their order; what has no time may be as new as any. */
function newestOf<C extends Pick<Checkpoint, 'modified'>>(checkpoints: readonly C[]): readonly C[] {
  const times = Float64Array.from(checkpoints, ({ modified }) => modified ?? Infinity).toSorted()
  const oldest = times.at(-mostAtOnce) ?? -Infinity
  return checkpoints.filter(({ modified }) => (modified ?? Infinity) >= oldest)
}

export interface StillWrittenOptions {
  /** Unix seconds. */
  readonly now: number
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
}

/**
 * The checkpoints in order, those whose files changed in size, time or number between two looks with a finding
 * `unfinished`. All are looked at together, so the wait is one second for any number of them. There is no wait
 * when nothing in them was modified within the hour before `now`: what has been quiet for an hour would not move
 * within the second either. A time that lies in the future counts as recent, for then one of the clocks is wrong.
 * Meant for checkpoints that are about to be deleted or resumed from. The first look may be one that `storage` remembers.
 */
export async function markStillWritten(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  { now, wait }: StillWrittenOptions,
): Promise<Checkpoint[]> {
  const before = new Map<Checkpoint, FilesSeen>()
  let last: FilesSeen | undefined
  for (const some of batches(checkpoints, atOnce)) {
    for (const [one, { files }] of await listFiles(storage, some)) {
      if (!mayMove(files, now)) continue
      last = seenOf(files, last)
      before.set(one, last)
    }
  }
  if (before.size === 0) return [...checkpoints]
  await wait(lookInterval)
  const disk = ScanTree.lookingAgain(storage)
  const changes = new Map<Checkpoint, Finding>()
  for (const some of batches([...before], atOnce)) {
    const after = await listFiles(
      disk,
      some.map(([one]) => one),
    )
    for (const [one, earlier] of some) {
      const later = after.get(one)
      const change = later === undefined ? null : findChange(earlier, seenOf(later.files))
      if (change !== null) changes.set(one, change)
    }
  }
  return checkpoints.map((checkpoint) => {
    const change = changes.get(checkpoint)
    return change === undefined ? checkpoint : withChange(checkpoint, change)
  })
}

/** Checkpoints listed together. */
const atOnce = 128

/** Of each file its name, its bytes and when it was modified, NaN where there is nothing: tens of thousands are kept. */
interface FilesSeen {
  readonly names: readonly string[]
  readonly sizes: readonly number[]
  readonly times: readonly number[]
}

/** Checkpoints that follow one another mostly have the same names in them: then the list of `like` is shared. */
function seenOf(files: readonly MeasuredFile[], like?: FilesSeen): FilesSeen {
  const areAlike = files.length === like?.names.length && files.every(({ name }, at) => name === like.names[at])
  return {
    names: areAlike ? like.names : files.map(({ name }) => name),
    sizes: files.map(({ stat }) => stat?.size ?? NaN),
    times: files.map(({ stat }) => stat?.modified ?? NaN),
  }
}

function mayMove(files: readonly MeasuredFile[], now: number): boolean {
  return files.some((file) => file.stat !== null && file.stat.modified > now - recent)
}

function withChange(checkpoint: Checkpoint, change: Finding): Checkpoint {
  const findings = uniteFindings([change], checkpoint.health.findings)
  return withHealth(checkpoint, checkpoint.health.level, findings)
}

function findChange(before: FilesSeen, after: FilesSeen): Finding | null {
  const earlier = new Map(before.names.map((name, at) => [name, at]))
  for (const [at, name] of after.names.entries()) {
    const then = earlier.get(name)
    const first = then === undefined ? null : { size: before.sizes[then] ?? NaN, time: before.times[then] ?? NaN }
    const reason = describeChange(first, { size: after.sizes[at] ?? NaN, time: after.times[at] ?? NaN })
    if (reason !== null) return { grade: 'unfinished', file: name, reason: `still being written: ${reason}` }
    earlier.delete(name)
  }
  const [gone] = earlier.keys()
  return gone === undefined ? null : { grade: 'unfinished', file: gone, reason: 'went away within a second' }
}

interface FileSeen {
  readonly size: number
  readonly time: number
}

function describeChange(before: FileSeen | null, { size, time }: FileSeen): string | null {
  if (before === null) return 'it appeared within a second'
  if (Number.isNaN(before.size) || Number.isNaN(size)) {
    return Number.isNaN(before.size) && Number.isNaN(size) ? null : 'it came or went within a second'
  }
  if (before.size !== size) return `${before.size} bytes, and ${size} a second later`
  return before.time === time ? null : `modified again within a second, at ${size} bytes`
}
