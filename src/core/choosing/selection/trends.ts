/** The course of each metric over a run. */
import { isSound, ownValue, type Checkpoint, type Direction } from '../../checkpoint.js'
import { directionOf } from '../../checkpoints/meta/index.js'
import { frameworkDirections } from './metrics.js'
import { rank, type Order } from './rank.js'

export interface MetricTrend {
  readonly metric: string
  /** Oldest first; NaN where a checkpoint has no number. */
  readonly values: readonly number[]
  /** Null where it is not known which way is better: then the best is the lowest, and the worst the highest. */
  readonly direction: Direction | null
  readonly best: { readonly name: string; readonly value: number | bigint }
  readonly worst: { readonly name: string; readonly value: number | bigint }
}

/**
 * Of each of `keys` that has numbers, in their order. `asked` are orders that say the direction of their own keys. `ordered` is newest
 * first; `now` Unix seconds.
 */
export function trendsOf(
  ordered: readonly Checkpoint[],
  keys: readonly string[],
  now: number,
  asked: readonly Order[] = [],
): MetricTrend[] {
  const distinct = ordered.filter(({ sameAs }) => sameAs === undefined)
  const directions = frameworkDirections(ordered)
  return keys.flatMap((key): MetricTrend[] => {
    const direction = askedDirection(asked, key) ?? directions.get(key) ?? directionOf(key) ?? null
    const measured = distinct.filter((one) => isSound(one) && !Number.isNaN(numberOf(one, key)))
    const ranked = rank(measured, { kind: direction ?? 'min', key }, now)
    const [best, worst] = [ranked[0], ranked.at(-1)]
    if (best === undefined || worst === undefined) return []
    const values = [...distinct].reverse().map((one) => numberOf(one, key))
    const extreme = (one: Checkpoint) => ({ name: one.name, value: numberOf(one, key) })
    return [{ metric: key, values, direction, best: extreme(best), worst: extreme(worst) }]
  })
}

function askedDirection(asked: readonly Order[], key: string): Direction | undefined {
  return asked.flatMap((order) =>
    (order.kind === 'min' || order.kind === 'max') && order.key === key ? order.kind : [],
  )[0]
}

function numberOf(checkpoint: Checkpoint, key: string): number {
  const value = ownValue(checkpoint, key)
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : NaN
}
