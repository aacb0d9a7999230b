/**
 * Several trainings in one folder: a new one was begun where an old one's checkpoints still lie. Then their logs do not
 * go on from each other, their run ids or batch sizes differ, or steps fall while times rise; and the highest step is
 * not the newest work.
 */
import type { Checkpoint } from '../../checkpoint.js'
import { provenParts } from './proven-trainings.js'
import { isSameTraining, tellsOfTraining } from './same-training.js'

/** Seconds that must lie between two trainings: what was copied without its times is closer together. */
const leastGap = 60
/** A fall counts as an effect of copying if its gap is at most this many times the others. */
const usualGap = 3

interface Timed {
  readonly checkpoint: Checkpoint
  readonly time: number
  /** Step or epoch: what the framework counts. */
  readonly count: number
}

/** The trainings of one run, the oldest first; one with all of them where nothing tells them apart. */
export function trainingsOf(
  checkpoints: readonly Checkpoint[],
  countOf: (checkpoint: Checkpoint) => number | null,
): readonly (readonly Checkpoint[])[] {
  // One clock: where a meta tells the time, the file times of those whose meta is broken are not compared with it.
  const hasTimes = checkpoints.some(({ unixtime }) => unixtime !== null)
  const wrong = wronglyTimed(checkpoints)
  const timed = checkpoints.flatMap((checkpoint): Timed[] => {
    const time = hasTimes && !wrong.has(checkpoint) ? checkpoint.unixtime : checkpoint.modified
    const count = countOf(checkpoint)
    return time === null || count === null || checkpoint.sameAs !== undefined ? [] : [{ checkpoint, time, count }]
  })
  const rising = timed.sort((a, b) => a.time - b.time || a.count - b.count)
  const parts = toldApart(rising)
    .flatMap(partsByTime)
    .flatMap(hasTimes ? (part) => [part] : provenParts)
  if (parts.length < 2) return [checkpoints]
  const newest = (part: readonly Timed[]) => part.at(-1)?.time ?? 0
  return withOthers(
    parts.sort((a, b) => newest(a) - newest(b)),
    checkpoints,
  )
}

/** Seconds by which a meta's time may lie after that of its files. */
const mostAhead = 86_400

/**
 * Those whose files were written well before the time that their meta tells: a clock was wrong then, and the files tell
 * the time. Where most are so, it is the files' times that something has changed.
 */
function wronglyTimed(checkpoints: readonly Checkpoint[]): ReadonlySet<Checkpoint> {
  const ahead = checkpoints.filter(
    ({ unixtime, modified }) => unixtime !== null && modified !== null && unixtime > modified + mostAhead,
  )
  return new Set(ahead.length * 2 < checkpoints.length ? ahead : [])
}

/** Those that say themselves that they are not of one training; all together where they say nothing. Newest last. */
function toldApart(rising: readonly Timed[]): readonly (readonly Timed[])[] {
  if (!rising.some(({ checkpoint }) => tellsOfTraining(checkpoint))) return [rising]
  const groups: (readonly Timed[])[] = []
  let left = rising
  for (let newest = left.at(-1); newest !== undefined; newest = left.at(-1)) {
    const [seed, all] = [newest, left]
    const kin = all.filter((one) => isKin(one, seed))
    // The one with the longest log tells more of the others than the newest: that may be of before a fork.
    const last = kin.reduce((one, another) => (logLength(another) > logLength(one) ? another : one), seed)
    const group = kin.filter((one) => isKin(one, last))
    groups.unshift(group)
    const grouped = new Set(group)
    left = all.filter((one) => !grouped.has(one))
    // Where hardly two are alike it is not the training that they tell.
    if (groups.length > Math.max(2, rising.length / 2)) return [rising]
  }
  return groups
}

function isKin(one: Timed, another: Timed): boolean {
  return one === another || isSameTraining(one.checkpoint, another.checkpoint) !== false
}

function logLength({ checkpoint }: Timed): number {
  return checkpoint.training?.log.length ?? 0
}

function partsByTime(rising: readonly Timed[]): (readonly Timed[])[] {
  const falls = fallsIn(rising)
  if (falls.length === 0 || isCopying(rising, falls)) return [rising]
  const starts = [0, ...falls, rising.length]
  return starts.slice(0, -1).map((start, index) => rising.slice(start, starts[index + 1]))
}

/** Where a training begins: lower than what was reached, and well after it. */
function fallsIn(rising: readonly Timed[]): number[] {
  const falls: number[] = []
  let highest = -Infinity
  let before = -Infinity
  let index = 0
  // Without `entries()`: a list of ten thousand is gone through before V8 has compiled this.
  for (const { time, count } of rising) {
    const isFall = count < highest && time - before >= leastGap
    if (isFall) falls.push(index)
    if (isFall || count > highest) highest = count
    before = time
    index += 1
  }
  return falls
}

/**
 * Copies have the times of the copying: in the order of the names, or in none. Where their logs go on from each other,
 * any order is a copy's while it takes its time evenly.
 */
function isCopying(rising: readonly Timed[], falls: readonly number[]): boolean {
  if (falls.length > Math.max(1, rising.length / 4)) return true
  if (rising.some(({ checkpoint }) => checkpoint.unixtime !== null)) return false
  const isSteady = rising.every(({ checkpoint }, index) => {
    const before = rising[index - 1]
    if (before === undefined || before.checkpoint.name < checkpoint.name) return true
    return isSameTraining(before.checkpoint, checkpoint) === true
  })
  if (!isSteady) return false
  const gapAt = (index: number) => (rising[index]?.time ?? 0) - (rising[index - 1]?.time ?? 0)
  const others = rising.flatMap((_, index) => (index === 0 || falls.includes(index) ? [] : [gapAt(index)]))
  const longest = others.reduce((most, gap) => Math.max(most, gap), 0)
  return falls.every((index) => gapAt(index) <= usualGap * longest)
}

/** What tells no time or count goes with the newest; another name of a state with that. */
function withOthers(parts: readonly (readonly Timed[])[], all: readonly Checkpoint[]): Checkpoint[][] {
  const trainingByName = new Map(
    parts.flatMap((part, index) => part.map(({ checkpoint }) => [checkpoint.name, index] as const)),
  )
  const last = parts.length - 1
  const trainings: Checkpoint[][] = parts.map(() => [])
  for (const checkpoint of all) {
    trainings[trainingByName.get(checkpoint.name) ?? trainingByName.get(checkpoint.sameAs ?? '') ?? last]?.push(
      checkpoint,
    )
  }
  return trainings
}

/** Which of the trainings in a folder is meant: the oldest is 1. */
export type TrainingChoice = 'newest' | 'all' | number

/** Those of `ordered` that are of it. `trainings` are the oldest first. */
export function ofTraining(
  ordered: readonly Checkpoint[],
  trainings: readonly (readonly Checkpoint[])[],
  choice: TrainingChoice = 'all',
): readonly Checkpoint[] {
  if (choice === 'all') return ordered
  const chosen = new Set((choice === 'newest' ? trainings.at(-1) : trainings[choice - 1])?.map(({ path }) => path))
  return ordered.filter(({ path }) => chosen.has(path))
}

/** By path, the number of its training; empty where there is only one. */
export function trainingNumbers(trainings: readonly (readonly Checkpoint[])[]): ReadonlyMap<string, number> {
  if (trainings.length < 2) return new Map()
  return new Map(trainings.flatMap((one, index) => one.map(({ path }) => [path, index + 1] as const)))
}

/** For people. `trainings` are the oldest first. */
export function describeTrainings(trainings: readonly (readonly Checkpoint[])[], choice?: TrainingChoice): string[] {
  const count = trainings.length
  if (typeof choice === 'number' && choice > count) {
    const seen = count === 1 ? 'one training is' : `${count} trainings are`
    return [`there is no training ${choice} in this folder: ${seen} seen`]
  }
  if (count < 2 || choice !== undefined) return []
  const parts = trainings.toReversed().map((one, index) => {
    const names = one.map(({ name }) => name)
    const listed = names.length > 3 ? `${names[0] ?? ''} … ${names.at(-1) ?? ''}` : names.join(', ')
    return `${index === 0 ? 'the newest' : 'an older one'} (${count - index}) saved ${listed}`
  })
  return [
    `${count} trainings lie in this folder, by their steps, times and logs: ${parts.join('; ')}. The newest one's come first; --training newest|N|all says which is meant`,
  ]
}
