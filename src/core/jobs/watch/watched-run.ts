/** One run as it is at a look, with what earlier looks have seen of it. */
import { isSound, timeOf, type Checkpoint } from '../../checkpoint.js'
import { identityOf, type JournalEntry } from '../../changes/journal/index.js'
import { metricOrders, monitoredKeys, valueFor, type Order } from '../../choosing/selection/index.js'
import { readingsOf, standingOf, type Reading } from '../supervise/index.js'
import type { JobState } from './job-state.js'

/** The best value so far, also of a checkpoint that is gone. */
export interface Best {
  readonly name: string
  /** Unix seconds. */
  readonly saved: number | null
  readonly value: number
}

export interface WatchedRun {
  /** Absolute. */
  readonly path: string
  /** All, newest first, measured. */
  readonly ordered: readonly Checkpoint[]
  /** Those that are asked for, newest first. */
  readonly selected: readonly Checkpoint[]
  /** What `best` goes by: a metric's key, or an expression; null where none is known. */
  readonly metric: string | null
  readonly best: Best | null
  /** Checkpoints after the best. */
  readonly since: number
  /** The metric's values, oldest first. */
  readonly values: readonly number[]
  readonly job: JobState | null
  /** Bytes; null where the system does not say. */
  readonly free: number | null
}

/** What ranks: the order that was asked for, else by the metric that the framework, or its name, is judged by. */
export function orderFor(ordered: readonly Checkpoint[], asked: Order | undefined): Order | null {
  if (asked !== undefined) return asked
  const [key] = monitoredKeys(ordered)
  return metricOrders(ordered).find((order) => order.key === key) ?? null
}

export function metricOf(order: Order | null): string | null {
  if (order === null || order.kind === 'named') return null
  return order.kind === 'by' ? order.expression.text : order.key
}

/** The values of one order in every checkpoint that a run has, or had while it was watched or its journal kept. */
export class Readings {
  private readonly known = new Map<string, Reading>()
  private order: Order | null = null

  /** `sound` are those that count, `entries` those that the journal knows: null where they cannot be asked. */
  take(order: Order | null, sound: readonly Checkpoint[], entries: readonly JournalEntry[] | null, now: number): void {
    if (metricOf(order) !== metricOf(this.order)) this.known.clear()
    this.order = order
    if (order === null || order.kind === 'named') return
    if (order.kind !== 'by' && entries !== null) {
      for (const one of readingsOf(entries, [], order.key)) this.known.set(identityOf(one), one)
    }
    for (const one of sound) {
      if (!isSound(one) || one.sameAs !== undefined) continue
      const value = valueFor(one, order, now)
      const { name } = one
      const saved = timeOf(one)
      if (value !== undefined) this.known.set(identityOf({ name, saved }), { name, saved, value: Number(value) })
    }
  }

  get standing(): Pick<WatchedRun, 'best' | 'since' | 'values'> {
    const readings = [...this.known.values()].sort((a, b) => (a.saved ?? 0) - (b.saved ?? 0))
    const values = readings.map(({ value }) => value)
    const { order } = this
    if (order === null || order.kind === 'named') return { best: null, since: 0, values: [] }
    const by = { kind: order.kind === 'min' ? ('min' as const) : ('max' as const), key: '' }
    const { best, since } = standingOf(values, { order: by, checkpoints: Infinity, minDelta: 0, warmup: 0 })
    return { best: best === null ? null : (readings[best] ?? null), since, values }
  }
}

/** Seconds that usually lie between two checkpoints: in the middle of the last ones; null of fewer than three. */
export function usualPause(ordered: readonly Checkpoint[]): number | null {
  const times = ordered
    .filter(({ sameAs }) => sameAs === undefined)
    .slice(0, 10)
    .flatMap((one) => timeOf(one) ?? [])
    .sort((a, b) => a - b)
  if (times.length < 3) return null
  const pauses = times.slice(1).map((time, index) => time - (times[index] ?? time))
  return pauses.sort((a, b) => a - b)[Math.floor(pauses.length / 2)] ?? null
}
