/** The checkpoint that the framework's own bookkeeping names the best. */
import { hasReadableMeta, isResumable, type Checkpoint, type Pointer } from '../../checkpoint.js'

export interface NamedBest {
  readonly pointer: Pointer
  /** Name of the checkpoint whose bookkeeping says so: the newest that can be read. */
  readonly by: string
  /** Absolute path of the one that is named. */
  readonly path: string
  /** Null when it is not there (any more). */
  readonly checkpoint: Checkpoint | null
}

/**
 * What the newest bookkeeping of each framework in each run names; an older one's word no longer holds. `ordered` is newest
 * first.
 */
export function namedBests(ordered: readonly Checkpoint[]): NamedBest[] {
  return newestBookkeeping(ordered).flatMap((by) =>
    bestsOf(by).map((pointer) => {
      const found = ordered.find(({ run, name }) => run === by.run && name === pointer.name)
      const original = found?.sameAs === undefined ? found : (sibling(ordered, found) ?? found)
      const path = original?.path ?? `${by.run}/${pointer.name}`
      return { pointer, by: by.name, path, checkpoint: original ?? null }
    }),
  )
}

/**
 * One of each framework in each run. Of several that were saved at the same step, the one of whose bests the most are
 * there: OpenMMLab saves epoch_5.pth, validates, and then puts best_…_epoch_5.pth, which names itself, in the place of
 * the best before it; what it publishes of the last one names none. Weights alone that Lightning saved between the
 * others say nothing of any best. `ordered` is newest first.
 */
export function newestBookkeeping(ordered: readonly Checkpoint[]): Checkpoint[] {
  const there = new Set(ordered.map(({ path }) => path))
  const countThere = (one: Checkpoint) => bestsOf(one).filter(({ name }) => there.has(`${one.run}/${name}`)).length
  const newest = new Map<string, Checkpoint>()
  for (const checkpoint of ordered) {
    if (!hasReadableMeta(checkpoint)) continue
    const book = `${checkpoint.layout}\n${checkpoint.run}`
    const known = newest.get(book)
    const tellsMore =
      known === undefined ||
      (isOfSameStep(checkpoint, known) && countThere(checkpoint) > countThere(known)) ||
      (keepsNoBooks(known) && bestsOf(checkpoint).length > 0)
    if (tellsMore) newest.set(book, checkpoint)
  }
  return [...newest.values()]
}

/** By what both have counted: a file of weights alone may have but one of the two. */
function isOfSameStep(one: Checkpoint, other: Checkpoint): boolean {
  const counts = [
    [one.step, other.step],
    [one.epoch, other.epoch],
  ].filter(([own, others]) => own !== null && others !== null)
  return counts.length > 0 && counts.every(([own, others]) => own === others)
}

/** Once there is a best there always is one, so it is not said here that there is none. */
function keepsNoBooks(checkpoint: Checkpoint): boolean {
  return !isResumable(checkpoint) && bestsOf(checkpoint).length === 0
}

function bestsOf({ pointsTo }: Checkpoint): Pointer[] {
  return pointsTo.filter(({ purpose }) => purpose === 'best')
}

function sibling(ordered: readonly Checkpoint[], { run, sameAs }: Checkpoint): Checkpoint | undefined {
  return ordered.find((one) => one.run === run && one.name === sameAs)
}

/** For people: each that is named the best and is not there. At its end the framework would load it, and cannot. */
export function describeAbsentBest(ordered: readonly Checkpoint[]): string[] {
  return namedBests(ordered).flatMap(({ pointer, by, checkpoint }) => {
    if (checkpoint !== null) return []
    return [`${pointer.name} is not there, which ${pointer.label} of ${by} names the best${describeValue(pointer)}`]
  })
}

/** ` (eval_accuracy 0.8)`, as far as it is known. */
export function describeValue({ metric, value }: Pointer): string {
  const parts = [metric, value === undefined ? undefined : String(Number(value.toPrecision(6)))].filter(
    (part) => part !== undefined,
  )
  return parts.length === 0 ? '' : ` (${parts.join(' ')})`
}
