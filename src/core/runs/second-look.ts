/** Beside a live trainer a checkpoint that is being written, or removed, looks damaged for a moment: it is looked at twice. */
import { isDamaged, type Checkpoint, type Run } from '../checkpoint.js'
import { markStillWritten, type StillWrittenOptions } from '../checkpoints/health/index.js'
import { measure, ScanTree } from '../checkpoints/layouts/index.js'
import type { ReadStorage } from '../storage/storage.js'
import { openRunIfAny } from './open-run.js'
import type { StateLocation } from './run-with-state.js'

/** Seconds. What has been quiet for longer is not being written. */
const young = 3600

export interface SecondLook {
  /** Those that are still there, in their order. */
  readonly checkpoints: Checkpoint[]
  /** Paths of those that changed between two looks: they are being written, which is not damage. */
  readonly writing: ReadonlySet<string>
}

/** `graded` are of `run`; `regrade` grades measured ones as they were graded, in the run as it is by then. */
export async function lookTwice(
  storage: ReadStorage,
  run: Run,
  graded: readonly Checkpoint[],
  regrade: (run: Run, measured: readonly Checkpoint[], disk: ReadStorage) => Promise<readonly Checkpoint[]>,
  again: StillWrittenOptions & StateLocation,
): Promise<SecondLook> {
  const disk = ScanTree.lookingAgain(storage)
  const suspects = graded.filter((one) => isDamaged(one) && (one.modified ?? again.now) > again.now - young)
  if (suspects.length === 0) return { checkpoints: [...graded], writing: new Set() }
  const settled = await markStillWritten(disk, suspects, again)
  const moved = settled.filter((one, index) => one !== suspects[index])
  const now = await openRunIfAny(disk, run.path, again)
  const there = new Map(now?.checkpoints.map((one) => [one.path, one]))
  const quiet = suspects.flatMap(({ path }) => there.get(path) ?? [])
  const second = await regrade(now ?? run, await measure(disk, quiet), disk)
  const found = new Map([...second, ...moved].map((one) => [one.path, one]))
  const suspected = new Set(suspects.map(({ path }) => path))
  return {
    // What is not there any more was removed meanwhile, and is not damage either.
    checkpoints: graded.flatMap((one) => {
      if (!suspected.has(one.path)) return [one]
      return there.has(one.path) ? [found.get(one.path) ?? one] : []
    }),
    writing: new Set(moved.map(({ path }) => path)),
  }
}
