/** The checkpoint that the framework's own bookkeeping names the best. */
import { hasReadableMeta, type Checkpoint, type Pointer } from '../../checkpoint.js'

export interface NamedBest {
  readonly pointer: Pointer
  /** Name of the checkpoint whose bookkeeping says so: the newest that can be read. */
  readonly by: string
  /** Absolute path of the one that is named. */
  readonly path: string
  /** Null when it is not there (any more). */
  readonly checkpoint: Checkpoint | null
}

/** What the newest bookkeeping of each run names; an older one's word no longer holds. `ordered` is newest first. */
export function namedBests(ordered: readonly Checkpoint[]): NamedBest[] {
  const newest = new Map<string, Checkpoint>()
  for (const checkpoint of ordered) {
    if (!newest.has(checkpoint.run) && hasReadableMeta(checkpoint)) newest.set(checkpoint.run, checkpoint)
  }
  return [...newest.values()].flatMap((by) =>
    by.pointsTo
      .filter(({ purpose }) => purpose === 'best')
      .map((pointer) => {
        const found = ordered.find(({ run, name }) => run === by.run && name === pointer.name)
        const original = found?.sameAs === undefined ? found : (sibling(ordered, found) ?? found)
        const path = original?.path ?? `${by.run}/${pointer.name}`
        return { pointer, by: by.name, path, checkpoint: original ?? null }
      }),
  )
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
