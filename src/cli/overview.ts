/** The summary of a run that `ckpt show RUN` and `ckpt` alone print. */
import type { Checkpoint, Run } from '../core/checkpoint.js'
import { TotalSize } from '../core/checkpoints/layouts/index.js'
import {
  bestPerMetric,
  describeAbsentBest,
  describeContradictions,
  metricOrders,
  namedBests,
  valueFor,
  type NamedBest,
} from '../core/choosing/selection/index.js'
import { arrange, examine } from '../core/runs/index.js'
import type { ReadStorage } from '../core/storage/storage.js'
import type { BestEntry } from '../render/show.js'

export interface Overview {
  readonly run: Run
  /** Newest first, measured and not looked into. */
  readonly checkpoints: readonly Checkpoint[]
  /** Bytes. */
  readonly size: number
  readonly best: readonly BestEntry[]
  readonly named: readonly NamedBest[]
  /** For people. */
  readonly warnings: readonly string[]
}

/** `now` is Unix seconds. */
export async function overviewOf(storage: ReadStorage, run: Run, now: number): Promise<Overview> {
  const { ordered, warnings } = await arrange(storage, run.checkpoints, { orders: [], where: [] }, now)
  const total = new TotalSize()
  const checkpoints = await examine(storage, ordered, ordered, 'none', { total })
  return {
    run,
    checkpoints,
    size: total.bytes,
    best: bestOf(checkpoints, now),
    named: namedBests(ordered),
    warnings: [...warnings, ...describeAbsentBest(ordered), ...describeContradictions([], ordered)],
  }
}

function bestOf(checkpoints: readonly Checkpoint[], now: number): BestEntry[] {
  const best = bestPerMetric(checkpoints, now)
  return metricOrders(checkpoints).flatMap((order) => {
    const checkpoint = best.get(order.key)
    const value = checkpoint && valueFor(checkpoint, order, now)
    if (checkpoint === undefined || value === undefined) return []
    return [{ metric: order.key, direction: order.kind, name: checkpoint.name, value }]
  })
}
