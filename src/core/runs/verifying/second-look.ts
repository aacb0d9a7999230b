/** Beside a live trainer a checkpoint that is being written, or removed, looks damaged for a moment: it is looked at twice. */
import { isDamaged, withHealth, type Checkpoint, type Finding, type Run } from '../../checkpoint.js'
import { lookInterval, markStillWritten, type StillWrittenOptions } from '../../checkpoints/health/index.js'
import { measure, ScanTree, uniteFindings, type SaveLeftover } from '../../checkpoints/layouts/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { openRunIfAny } from '../opening/open-run.js'
import type { Writers } from '../pruning/plan-checks.js'
import type { StateLocation } from '../opening/run-with-state.js'

/** Seconds. What has been quiet for longer is not being written. */
const young = 3600

export interface LookAgain extends StillWrittenOptions, StateLocation {
  /** Who has files open: a writer can stall for longer than the time between two looks. */
  readonly writers?: Pick<Writers, 'holding'>
}

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
  again: LookAgain,
): Promise<SecondLook> {
  const disk = ScanTree.lookingAgain(storage)
  const suspects = graded.filter((one) => isDamaged(one) && (one.modified ?? again.now) > again.now - young)
  if (suspects.length === 0) return { checkpoints: [...graded], writing: new Set() }
  const settled = markHeld(await markStillWritten(disk, suspects, again), suspects, again)
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

const isOpen: Finding = { grade: 'unfinished', reason: 'still being written: a process has it open' }

/** Those of `settled` that did not change, and of which a process has something open for writing, with a finding. */
function markHeld(settled: readonly Checkpoint[], before: readonly Checkpoint[], { writers }: LookAgain): Checkpoint[] {
  const quiet = settled.filter((one, index) => one === before[index]).map(({ path }) => path)
  const held = writers?.holding(quiet) ?? new Set<string>()
  return settled.map((one) => {
    if (!held.has(one.path)) return one
    return withHealth(one, one.health.level, uniteFindings([isOpen], one.health.findings))
  })
}

/** Of what seems to be left of saves, what is the same a second later, and nobody's: `find` looks for it again. */
export async function leftForGood(
  storage: ReadStorage,
  seen: readonly SaveLeftover[],
  find: (disk: ReadStorage) => Promise<readonly SaveLeftover[]>,
  { now, wait, writers }: LookAgain,
): Promise<SaveLeftover[]> {
  const before = await timesOf(storage, seen)
  if (seen.every(({ path }) => (before.get(path) ?? now) <= now - young)) return [...seen]
  await wait(lookInterval)
  const disk = ScanTree.lookingAgain(storage)
  const still = await find(disk)
  const after = await timesOf(disk, still)
  const held = writers?.holding(still.map(({ path }) => path)) ?? new Set<string>()
  return still.filter(({ path }) => before.has(path) && before.get(path) === after.get(path) && !held.has(path))
}

async function timesOf(storage: ReadStorage, leftovers: readonly SaveLeftover[]): Promise<Map<string, number>> {
  const stats = await ScanTree.lookingAgain(storage).lstat(leftovers.map(({ path }) => path))
  return new Map(
    leftovers.flatMap(({ path }, index) => {
      const stat = stats[index]
      return stat?.ok === true ? [[path, stat.value.modified] as const] : []
    }),
  )
}
