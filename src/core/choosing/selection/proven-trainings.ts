/**
 * What no single training can have saved: other weights at the same step, a later step in an earlier epoch. Where files
 * carry no time of their own, it proves that steps which fall while the files' times rise are not an effect of copying.
 */
import { isMeta, type Checkpoint, type MetaValue } from '../../checkpoint.js'

/** A checkpoint by the count that its framework goes by: a step or an epoch. */
export interface Counted {
  readonly checkpoint: Checkpoint
  readonly count: number
}

/**
 * `rising` is in the order of times. Parts begin where the count falls. They are trainings if each of them contradicts
 * what was before it; else it is one part. Other weights at one step alone prove little: one callback may save averages.
 */
export function provenParts<T extends Counted>(rising: readonly T[]): readonly (readonly T[])[] {
  if (isInOrderOfNames(rising)) return [rising]
  const [first = [], ...later] = partsByCount(rising)
  const earlier = [...first]
  for (const part of later) {
    if (!isContradicting(earlier, part)) return [rising]
    earlier.push(...part)
  }
  return [first, ...later]
}

/** As copying leaves them: its times tell nothing. */
function isInOrderOfNames(rising: readonly Counted[]): boolean {
  return rising.every(({ checkpoint }, index) => {
    const before = rising[index - 1]
    return before === undefined || before.checkpoint.name < checkpoint.name
  })
}

function partsByCount<T extends Counted>(rising: readonly T[]): T[][] {
  const parts: T[][] = []
  let part: T[] = []
  for (const one of rising) {
    const before = part.at(-1)
    if (before === undefined || one.count < before.count) parts.push((part = []))
    part.push(one)
  }
  return parts
}

function isContradicting(earlier: readonly Counted[], later: readonly Counted[]): boolean {
  return (
    haveOtherSettings(earlier, later) ||
    haveOtherWeights(earlier, later) ||
    epochsStartElsewhere(earlier, later) ||
    areNotKept(earlier, later) ||
    areNotKept(later, earlier) ||
    epochsFall(earlier, later) ||
    epochsFall(later, earlier)
  )
}

function haveOtherWeights(earlier: readonly Counted[], later: readonly Counted[]): boolean {
  const known = new Map(earlier.map((one) => [one.count, one]))
  return later.some((one) => {
    const other = known.get(one.count)
    return other !== undefined && differs(weightsOf(other), weightsOf(one))
  })
}

/** True where one epoch began after another number of batches. */
function epochsStartElsewhere(earlier: readonly Counted[], later: readonly Counted[]): boolean {
  const startsOf = (all: readonly Counted[]) => all.flatMap(({ checkpoint }) => checkpoint.training?.epochStart ?? [])
  const known = new Map(startsOf(earlier).map(({ epoch, batches }) => [epoch, batches]))
  return startsOf(later).some(({ epoch, batches }) => (known.get(epoch) ?? batches) !== batches)
}

/** True where what saved one of `high` kept none that has fewer steps and is still there: it would have been removed. */
function areNotKept(low: readonly Counted[], high: readonly Counted[]): boolean {
  return high.some(({ checkpoint: { training: { kept } = {} }, count }) => {
    if (kept === undefined) return false
    return low.some(({ checkpoint: { name, training }, count: before }) => {
      if (before >= count) return false
      return [...(training?.kept ?? [])].some(([key, own]) => own.has(name) && kept.get(key)?.has(name) === false)
    })
  })
}

/** True where one of `low` has fewer steps than one of `high`, and a later epoch. */
function epochsFall(low: readonly Counted[], high: readonly Counted[]): boolean {
  const [below, above] = [low, high].map(momentsOf)
  let latest = -Infinity
  let index = 0
  for (const { step, epoch } of above ?? []) {
    for (let one = below?.[index]; one !== undefined && one.step < step; one = below?.[++index])
      latest = Math.max(latest, one.epoch)
    if (latest > epoch) return true
  }
  return false
}

function momentsOf(all: readonly Counted[]): { readonly step: number; readonly epoch: number }[] {
  return all
    .flatMap(({ checkpoint: { step, epoch } }) => (step === null || epoch === null ? [] : [{ step, epoch }]))
    .sort((a, b) => a.step - b.step)
}

/** Hyper-parameters that are saved with each checkpoint: who goes on mostly goes on with the same. */
function haveOtherSettings(earlier: readonly Counted[], later: readonly Counted[]): boolean {
  const [before, after] = [earlier.at(-1), later[0]].map((one) => one?.checkpoint.meta.get('hyper_parameters'))
  return isMeta(before) && isMeta(after) && textOf(before) !== textOf(after)
}

function textOf(value: MetaValue): string {
  return JSON.stringify(value, (_, one: unknown) =>
    one instanceof Map ? [...one] : typeof one === 'bigint' || typeof one === 'number' ? String(one) : one,
  )
}

function weightsOf({ checkpoint }: Counted): string | undefined {
  return checkpoint.training?.weights
}

function differs(one: string | undefined, another: string | undefined): boolean {
  return one !== undefined && another !== undefined && one !== another
}
