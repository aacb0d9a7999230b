/** One policy over the checkpoints of many runs together: which of them it keeps. */
import { isSound, stateOf, timeOf, type Checkpoint, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { describeOrder, rank, type Order } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { examineAcross } from '../opening/open-run.js'
import type { PruneRequest } from './prune.js'
import { arrange } from '../opening/rank-and-filter.js'

/** Candidates that are looked at in one go. */
const together = 64

/**
 * By path, why a checkpoint stays: it is among the best `keep` of all runs by an order, or no order has a value of it.
 * Recency is by time, for steps of different runs cannot be compared. What is damaged does not count. Throws CkptError
 * `usage` for what is asked of a run or of a disk.
 */
export async function keptAcross(
  storage: ReadStorage,
  runs: readonly Run[],
  request: PruneRequest,
  now: number,
): Promise<ReadonlyMap<string, string>> {
  refuseSpace(request)
  const { query, noKeepRecent = false, verify = 'quick' } = request
  const selected: Checkpoint[] = []
  for (const { checkpoints } of runs) {
    const found = await arrange(storage, checkpoints, query, now, ['time'])
    for (const one of found.selected) selected.push(one)
  }
  const siblings = runs.flatMap(({ checkpoints }) => checkpoints)
  const keep = request.keep ?? (query.orders.length > 0 || !noKeepRecent ? 1 : 0)
  const kept = new Map<string, string>()
  const ranked = new Set<string>()
  for (const { label, best } of ordersOf(selected, query.orders, noKeepRecent, now)) {
    for (const { path } of best) ranked.add(path)
    const found = await firstSound(best, keep, (some) => examineAcross(storage, siblings, some, verify))
    for (const { path } of found) kept.set(path, kept.get(path) ?? `among the best ${keep} of all runs by ${label}`)
  }
  for (const { path } of selected) if (!ranked.has(path)) kept.set(path, 'it has none of the values that rank')
  return kept
}

/** The request for one of the runs: what the ranking over all keeps stays, and the run's own ranking keeps nothing. */
export function requestAcross(request: PruneRequest, kept: ReadonlyMap<string, string>): PruneRequest {
  const { isExcluded } = request
  return {
    ...request,
    query: { ...request.query, orders: [] },
    keep: 0,
    noKeepRecent: false,
    isExcluded: (one) => kept.get(one.path) ?? isExcluded?.(one) ?? null,
  }
}

function refuseSpace({ maxTotal, minFree }: PruneRequest): void {
  if (maxTotal === undefined && minFree === undefined) return
  throw new CkptError('usage', '--across ranks all runs together, and a space target is asked of each', {
    hint: 'leave out --max-total and --min-free, or --across',
  })
}

function ordersOf(
  selected: readonly Checkpoint[],
  orders: readonly Order[],
  noKeepRecent: boolean,
  now: number,
): { readonly label: string; readonly best: readonly Checkpoint[] }[] {
  const named = orders.map((order) => ({ label: describeOrder(order), best: rank(selected, order, now) }))
  const recent = selected.toSorted((a, b) => (timeOf(b) ?? -Infinity) - (timeOf(a) ?? -Infinity) || 0)
  return noKeepRecent ? named : [{ label: 'recency', best: recent }, ...named]
}

/** The first `count` that are sound; another name of one that counts is kept with it. */
async function firstSound(
  ranked: readonly Checkpoint[],
  count: number,
  examine: (some: readonly Checkpoint[]) => Promise<readonly Checkpoint[]>,
): Promise<Checkpoint[]> {
  const found: Checkpoint[] = []
  const states = new Set<string>()
  for (let at = 0; at < ranked.length && states.size < count; at += together) {
    for (const one of await examine(ranked.slice(at, at + together))) {
      if (!isSound(one) || (states.size === count && !states.has(stateOf(one)))) continue
      states.add(stateOf(one))
      found.push(one)
    }
  }
  return found
}
