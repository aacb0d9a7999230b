/** The order of recency (docs/design.md §5): one scale a run. */
import { hasReadableMeta, isResumable, timeOf, type Checkpoint } from '../../checkpoint.js'
import { compareCodePoints } from '../../formats/text/code-points.js'
import { trainingsOf } from './trainings.js'

export type Scale = 'unixtime' | 'step' | 'epoch' | 'save number' | 'file time'

/** Checkpoints in the order in which they were saved. */
export interface Recency {
  /** Newest first. */
  readonly ordered: readonly Checkpoint[]
  /** What the order was made by. */
  readonly scale: Scale
  /** Of one run, the trainings that lie in it, the oldest first; one where nothing tells them apart. */
  readonly trainings: readonly (readonly Checkpoint[])[]
  /** For people, when only the files' times were left to go by. */
  readonly warning?: string
}

const valueOn: Readonly<Record<Scale, (checkpoint: Checkpoint) => number | null>> = {
  unixtime: (checkpoint) => checkpoint.unixtime,
  step: (checkpoint) => checkpoint.step,
  epoch: (checkpoint) => checkpoint.epoch,
  'save number': (checkpoint) => checkpoint.saveNumber ?? null,
  'file time': (checkpoint) => checkpoint.modified,
}

/**
 * The first of meta `unixtime`, step, epoch, the framework's number of the save and file time that all checkpoints have. One whose meta could not be read
 * has no vote: a single broken file must not reorder a run. Nor has one that was averaged or exported and counts
 * nothing, nor a `best` or `final` that does not: it comes after those that do, but `final` before them.
 */
export function scaleOf(checkpoints: readonly Checkpoint[]): Scale {
  const readable = checkpoints.filter(hasReadableMeta)
  const counted = readable.filter((checkpoint) => !isUncounted(checkpoint))
  const voters = counted.length === 0 ? readable : counted
  if (voters.length === 0) return checkpoints.length === 0 ? 'unixtime' : 'file time'
  if (voters.every((checkpoint) => isTime(checkpoint.unixtime))) return 'unixtime'
  if (voters.every((checkpoint) => isTime(checkpoint.step))) return 'step'
  if (voters.every((checkpoint) => isTime(checkpoint.epoch))) return 'epoch'
  return voters.every(({ saveNumber = null }) => isTime(saveNumber)) ? 'save number' : 'file time'
}

/** Weights alone that tell nothing of when in the training they are from, and what has a copy's name and counts nothing. */
function isUncounted({ resumable, uncounted, unixtime, step, epoch }: Checkpoint): boolean {
  if (isTime(unixtime) || isTime(step) || isTime(epoch)) return false
  return resumable === false || uncounted !== undefined
}

function isTime(value: number | null): value is number {
  return value !== null && !Number.isNaN(value)
}

/**
 * Newest first: of several trainings in one folder the newest one's before the others. Equal values: where steps or epochs tell, what can be resumed from first; then the newer; equal times: the name, descending. A checkpoint whose meta could not
 * be read, and that has no value on the scale, takes the place of its neighbour by name: the readable one with the
 * greatest name below its own (it then sorts just above that one), else the smallest above.
 */
export function byRecency(checkpoints: readonly Checkpoint[]): Recency {
  const scale = scaleOf(checkpoints)
  const trainings = trainingsIn(checkpoints, scale)
  const among = isCounted(scale) ? newestCountedFirst : newestFirst
  const compare = trainings.length > 1 ? newestTrainingFirst(trainings, among) : among
  const ordered = timesOn(scale, checkpoints)
    .sort(compare)
    .map((timed) => timed.checkpoint)
  const warning = scale === 'file time' ? warningFor(checkpoints) : undefined
  return { ordered, scale, trainings, ...(warning === undefined ? {} : { warning }) }
}

/** Steps of several runs are not compared so. Times order all anyway; there too the older one's are not this one's. */
function trainingsIn(checkpoints: readonly Checkpoint[], scale: Scale): readonly (readonly Checkpoint[])[] {
  const isOneRun = checkpoints.every(({ run }) => run === checkpoints[0]?.run)
  const counted = isCounted(scale) ? scale : scale === 'unixtime' ? countedIn(checkpoints) : null
  return isOneRun && counted !== null ? trainingsOf(checkpoints, valueOn[counted]) : [checkpoints]
}

/** What all of them count beside their times; null where it is nothing. */
function countedIn(checkpoints: readonly Checkpoint[]): Scale | null {
  const counts: readonly Scale[] = ['step', 'epoch']
  const counted = counts.filter((one) => checkpoints.every((checkpoint) => isTime(valueOn[one](checkpoint))))
  return (counted.length === 2 && beginsAnewEachEpoch(checkpoints) ? 'epoch' : counted[0]) ?? null
}

/** True where steps fall as epochs go on: they count the batches of an epoch. */
function beginsAnewEachEpoch(checkpoints: readonly Checkpoint[]): boolean {
  const rising = checkpoints.toSorted((a, b) => (a.unixtime ?? 0) - (b.unixtime ?? 0))
  return rising.some(({ step, epoch }, index) => {
    const before = rising[index - 1]
    return before !== undefined && (step ?? 0) < (before.step ?? 0) && (epoch ?? 0) > (before.epoch ?? 0)
  })
}

/** True for a scale that a training begun anew in the same folder begins anew too. */
export function isCounted(scale: Scale): boolean {
  return scale === 'step' || scale === 'epoch' || scale === 'save number'
}

interface Timed {
  readonly checkpoint: Checkpoint
  readonly value: number
  /** Unix seconds. */
  readonly time: number
}

type Compare = (a: Timed, b: Timed) => number

function newestTrainingFirst(trainings: readonly (readonly Checkpoint[])[], among: Compare): Compare {
  const trainingAt = new Map(trainings.flatMap((one, index) => one.map(({ path }) => [path, index] as const)))
  const trainingOf = ({ checkpoint }: Timed): number => trainingAt.get(checkpoint.path) ?? 0
  return (a, b) => trainingOf(b) - trainingOf(a) || among(a, b)
}

/**
 * What is saved in one epoch as weights alone and as all that resuming needs (ESPnet's `6epoch.pth` and
 * `checkpoint.pth`) is one state: a job that asks for the newest can go on from the latter.
 */
function newestCountedFirst(a: Timed, b: Timed): number {
  return (
    descending(a.value, b.value) ||
    Number(isCopy(a)) - Number(isCopy(b)) ||
    Number(isResumable(b.checkpoint)) - Number(isResumable(a.checkpoint)) ||
    newestFirst(a, b)
  )
}

function newestFirst(a: Timed, b: Timed): number {
  return (
    descending(a.value, b.value) ||
    // What is the same state as another comes behind it: of the two the other is meant.
    Number(isCopy(a)) - Number(isCopy(b)) ||
    descending(a.time, b.time) ||
    compareCodePoints(b.checkpoint.name, a.checkpoint.name) ||
    compareCodePoints(b.checkpoint.path, a.checkpoint.path)
  )
}

function isCopy({ checkpoint }: Timed): boolean {
  return checkpoint.sameAs !== undefined
}

/** No subtraction: two infinities have no difference. */
function descending(a: number, b: number): number {
  if (a === b) return 0
  return a > b ? -1 : 1
}

function timesOn(scale: Scale, checkpoints: readonly Checkpoint[]): Timed[] {
  const own = (checkpoint: Checkpoint): Timed | undefined => {
    const value = valueOn[scale](checkpoint)
    return isTime(value) ? { checkpoint, value, time: orOldest(timeOf(checkpoint)) } : undefined
  }
  const neighbours = new Map<string, readonly Timed[]>()
  return checkpoints.map((checkpoint) => {
    if (checkpoint.uncounted === 'newest' && isUncounted(checkpoint)) {
      return { checkpoint, value: Infinity, time: orOldest(timeOf(checkpoint)) }
    }
    const timed = own(checkpoint)
    if (timed !== undefined) return timed
    if (isUncounted(checkpoint)) return { checkpoint, value: -Infinity, time: orOldest(timeOf(checkpoint)) }
    const siblings = neighbours.get(checkpoint.run) ?? readableTimes(checkpoints, checkpoint.run, own)
    neighbours.set(checkpoint.run, siblings)
    const { value, time } = neighbourOf(checkpoint, siblings) ?? { value: -Infinity, time: -Infinity }
    return { checkpoint, value, time }
  })
}

function orOldest(time: number | null): number {
  return isTime(time) ? time : -Infinity
}

/** By name, ascending. */
function readableTimes(
  checkpoints: readonly Checkpoint[],
  run: string,
  own: (checkpoint: Checkpoint) => Timed | undefined,
): Timed[] {
  return checkpoints
    .filter((checkpoint) => checkpoint.run === run && hasReadableMeta(checkpoint))
    .map(own)
    .filter((timed) => timed !== undefined)
    .sort((a, b) => compareCodePoints(a.checkpoint.name, b.checkpoint.name))
}

function neighbourOf(checkpoint: Checkpoint, siblings: readonly Timed[]): Timed | undefined {
  let low = 0
  let high = siblings.length
  while (low < high) {
    const middle = (low + high) >> 1
    const name = siblings[middle]?.checkpoint.name ?? ''
    if (compareCodePoints(name, checkpoint.name) < 0) low = middle + 1
    else high = middle
  }
  return siblings[low - 1] ?? siblings[low]
}

function warningFor(checkpoints: readonly Checkpoint[]): string {
  const readable = checkpoints.filter(hasReadableMeta)
  if (readable.length === 0) return 'no meta could be read: ordered by the times of the files, which copying changes'
  const without = readable.filter((checkpoint) => !isTime(checkpoint.unixtime)).length
  return (
    `${describeShare(without, readable.length)} unixtime, and not all have a step or an epoch: ` +
    'ordered by the times of the files, which copying changes'
  )
}

/** `1 of 2 checkpoints has no`, `none of the 2 checkpoints has a`. */
function describeShare(count: number, all: number): string {
  if (count === all) return all === 1 ? 'the only checkpoint has no' : `none of the ${all} checkpoints has a`
  return `${count} of ${all} checkpoints ${count === 1 ? 'has' : 'have'} no`
}
