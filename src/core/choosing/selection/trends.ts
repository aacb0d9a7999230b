/** How the metrics of a run went. */
import { isSound, ownValue, type Checkpoint } from '../../checkpoint.js'
import { metricOrders } from './metrics.js'
import { rank } from './rank.js'

export interface MetricTrend {
  readonly metric: string
  /** Oldest first; NaN where a checkpoint has no number. */
  readonly values: readonly number[]
  readonly best: { readonly name: string; readonly value: number | bigint }
  readonly worst: { readonly name: string; readonly value: number | bigint }
}

/** Of each metric among `keys`, in their order. `ordered` is newest first; `now` Unix seconds. */
export function trendsOf(ordered: readonly Checkpoint[], keys: readonly string[], now: number): MetricTrend[] {
  const distinct = ordered.filter(({ sameAs }) => sameAs === undefined)
  const orders = metricOrders(ordered)
  return keys.flatMap((key): MetricTrend[] => {
    const order = orders.find((one) => one.key === key)
    if (order === undefined) return []
    const measured = distinct.filter((one) => isSound(one) && !Number.isNaN(numberOf(one, key)))
    const ranked = rank(measured, order, now)
    const [best, worst] = [ranked[0], ranked.at(-1)]
    if (best === undefined || worst === undefined) return []
    const values = [...distinct].reverse().map((one) => numberOf(one, key))
    const told = (one: Checkpoint) => ({ name: one.name, value: numberOf(one, key) })
    return [{ metric: key, values, best: told(best), worst: told(worst) }]
  })
}

function numberOf(checkpoint: Checkpoint, key: string): number {
  const value = ownValue(checkpoint, key)
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : NaN
}
