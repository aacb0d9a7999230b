/** Questions about the metrics of a run: which there are, which checkpoint is best by each. */
import { addTo } from '../../grouped.js'
import {
  isSound,
  ownMeta,
  ownValue,
  stateOf,
  type Checkpoint,
  type Direction,
  type MetaValue,
} from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import {
  directionOf,
  evaluationsAmong,
  isBookkeeping,
  isImpossible,
  metricKeys,
  withoutTraining,
} from '../../checkpoints/meta/index.js'
import { namedBests, type NamedBest } from './named-best.js'
import { bestBy, describeOrder, type Order } from './rank.js'

/** Not worth a column or a mark of their own: the list shows them anyway. */
const bookkeeping: ReadonlySet<string> = new Set(['unixtime', 'step', 'epoch'])

type MetricOrder = Order & { readonly kind: 'min' | 'max'; readonly key: string }

/** Each metric as an order: the framework says its direction, or its name does. No training loss beside evaluations. */
export function metricOrders(checkpoints: readonly Checkpoint[]): MetricOrder[] {
  return withoutTraining(ordersOf(checkpoints, frameworkDirections(checkpoints)))
}

/**
 * The same of each checkpoint by itself. Checkpoints of the same keys, with values of the same types, have the same metrics,
 * so each kind is asked once.
 */
export function metricOrdersOfEach(): (checkpoint: Checkpoint) => readonly MetricOrder[] {
  const known = new Map<string, readonly MetricOrder[]>()
  return (checkpoint) => {
    let kind = ''
    for (const [key, value] of ownMeta(checkpoint)) kind += `${typeof value}${key.length} ${key}`
    for (const [key, direction] of checkpoint.directions ?? []) kind += `${direction}${key.length} ${key}`
    const orders = known.get(kind) ?? metricOrders([checkpoint])
    known.set(kind, orders)
    return orders
  }
}

function ordersOf(checkpoints: readonly Checkpoint[], known: ReadonlyMap<string, Direction>): MetricOrder[] {
  const metas = checkpoints.map(ownMeta)
  return metricKeys(metas, known).flatMap((key) => {
    const kind = known.get(key) ?? directionOf(key)
    return kind === undefined ? [] : [{ kind, key }]
  })
}

/** Of several words on one metric the first, which is the newest where the newest checkpoint is first. */
export function frameworkDirections(checkpoints: readonly Checkpoint[]): ReadonlyMap<string, Direction> {
  const found = new Map<string, Direction>()
  for (const { directions } of checkpoints) {
    for (const [key, direction] of directions ?? []) if (!found.has(key)) found.set(key, direction)
  }
  return found
}

/**
 * What `best` alone means: what the framework itself names the best of `selected`, else by what it tells the best, else
 * the only metric there is. `checkpoints` is newest first. Throws CkptError `usage` when there are several or none, with
 * what to type.
 */
export function bestOrder(checkpoints: readonly Checkpoint[], selected: readonly Checkpoint[] = checkpoints): Order {
  const directions = frameworkDirections(checkpoints)
  const all = ordersOf(checkpoints, directions)
  const named = namedOrder(checkpoints, selected, all)
  if (named !== undefined) return named
  const judged = all.filter(({ key }) => directions.has(key))
  const orders = judged.length > 0 ? judged : tellingAmong(checkpoints, all)
  const [only, second] = orders
  if (only !== undefined && second === undefined) return only
  if (only === undefined) {
    const numeric = varyingKeys(checkpoints)
    const keys = numeric.length === 0 ? 'no numeric keys' : `the numeric keys are ${numeric.join(', ')}`
    throw new CkptError('usage', `"best" by what? No key of the meta is known as a metric; ${keys}`, {
      hint: `name one: ${describeOrder({ kind: 'min', key: numeric[0] ?? 'KEY' })}, or --max for one that should be high`,
    })
  }
  throw new CkptError('usage', `"best" by what? There are ${orders.length} metrics: ${listKeys(orders)}`, {
    hint: `name one: ${orders.map(describeOrder).join(', ')}`,
  })
}

/**
 * The one checkpoint that the framework of the run names the best first, the others by the metric by which it was
 * judged. Where that one is gone or not selected, the metric alone; undefined where nothing is named, or several of
 * which the framework itself takes none.
 */
function namedOrder(
  checkpoints: readonly Checkpoint[],
  selected: readonly Checkpoint[],
  orders: readonly MetricOrder[],
): Order | undefined {
  const only = onlyNamed(namedBests(checkpoints))
  if (only === undefined) return undefined
  const { label, metric } = only.pointer
  const first = selected.find(({ path }) => path === only.path)
  const order = metric === undefined ? undefined : orders.find(({ key }) => key === metric)
  if (first === undefined) return order
  const state = { first: stateOf(first) }
  return order === undefined ? { kind: 'named', label, ...state } : { ...order, ...state }
}

function onlyNamed(named: readonly NamedBest[]): NamedBest | undefined {
  const [first] = named
  if (named.every(({ path }) => path === first?.path)) return first
  const [chosen, ...others] = named.filter(({ pointer }) => pointer.isDefault === true)
  return others.every(({ path }) => path === chosen?.path) ? chosen : undefined
}

function listKeys(orders: readonly { readonly key: string }[]): string {
  return orders.map((order) => order.key).join(', ')
}

/** Keys by which the framework judges; where it says nothing, the first evaluation metric that there is. */
export function monitoredKeys(checkpoints: readonly Checkpoint[]): readonly string[] {
  const directions = frameworkDirections(checkpoints)
  const orders = ordersOf(checkpoints, directions)
  const judged = orders.filter(({ key }) => directions.has(key))
  return (judged.length > 0 ? judged : tellingAmong(checkpoints, orders).slice(0, 1)).map(({ key }) => key)
}

/**
 * Those by which a run is judged as far as the names of keys tell. One that is the same in all of several checkpoints ranks
 * none of them, where another differs: the loss of a training by GRPO is 0 throughout.
 */
function tellingAmong(checkpoints: readonly Checkpoint[], orders: readonly MetricOrder[]): MetricOrder[] {
  const evaluations = evaluationsAmong(orders)
  if (evaluations.length <= 1) return evaluations
  const varying = evaluations.filter(({ key }) => varies(checkpoints, key))
  return aloneOfRewards(varying.length === 0 ? evaluations : varying)
}

function varies(checkpoints: readonly Checkpoint[], key: string): boolean {
  let first: number | undefined
  for (const checkpoint of checkpoints) {
    const value = toNumber(ownValue(checkpoint, key))
    first ??= value
    if (value !== undefined && value !== first && !Number.isNaN(value)) return true
  }
  return false
}

/**
 * Of what TRL logs, that by which its trainers are judged: `reward` is the sum of all `rewards/<function>/mean`, beside a loss
 * that tells nothing of them; the `rewards/…` of DPO, which have no such sum, follow from its loss.
 */
function aloneOfRewards(orders: readonly MetricOrder[]): MetricOrder[] {
  const keys = new Set(orders.map(({ key }) => key))
  return orders.filter(({ key }) => {
    const [, before, part] = /^(.*_)?(?:loss|(reward)s\/.*)$/.exec(key) ?? []
    const [sum, loss] = [`${before ?? ''}reward`, `${before ?? ''}loss`]
    return part === undefined ? key !== loss || !keys.has(sum) : !keys.has(sum) && !keys.has(loss)
  })
}

/**
 * For each metric the best checkpoint among the whole ones, or among those that count. NaN is never best; an impossible value is ranked as it is written (see
 * `impossibleMetrics`). `ordered` is newest first; `now` Unix seconds.
 */
export function bestPerMetric(
  ordered: readonly Checkpoint[],
  now: number,
  counts: (checkpoint: Checkpoint) => boolean = isSound,
): ReadonlyMap<string, Checkpoint> {
  return bestByOrders(ordered.filter(counts), metricOrders(ordered), now)
}

/** The same of those that count already, by the keys of these orders. */
export function bestByOrders(
  checkpoints: readonly Checkpoint[],
  orders: readonly Order[],
  now: number,
): ReadonlyMap<string, Checkpoint> {
  const best = new Map<string, Checkpoint>()
  for (const order of orders) {
    if (order.kind === 'by' || order.kind === 'named') continue
    const counted = checkpoints.filter((checkpoint) => isFiniteOrBig(ownValue(checkpoint, order.key)))
    const first = bestBy(counted, order, now)
    if (first !== undefined) best.set(order.key, first)
  }
  return best
}

function isFiniteOrBig(value: MetaValue | undefined): boolean {
  return typeof value === 'bigint' || (typeof value === 'number' && !Number.isNaN(value))
}

/** By path, the metrics of a checkpoint that no measurement gives (`ACC: 1.1` of an averaged model). */
export function impossibleMetrics(checkpoints: readonly Checkpoint[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const order of ordersOf(checkpoints, frameworkDirections(checkpoints))) {
    const values = checkpoints.map((checkpoint) => toNumber(ownValue(checkpoint, order.key)))
    const outliers = outliersOf(order.key, values)
    if (outliers.size === 0) continue
    checkpoints.forEach((checkpoint, index) => {
      if (!outliers.has(values[index])) return
      addTo(found, checkpoint.path, order.key)
    })
  }
  return found
}

/**
 * The impossible ones among the values, looked for from both ends inwards: what lies between two possible values is
 * possible, and asking of each of 10,000 values about all the others would be quadratic.
 */
function outliersOf(key: string, values: readonly (number | undefined)[]): ReadonlySet<number | undefined> {
  const numbers = values.filter((value) => value !== undefined && !Number.isNaN(value))
  const rising = [...new Set(numbers)].filter((value) => value !== undefined).sort((a, b) => a - b)
  // The two lowest and the two highest: without any one value the extremes of the others are still there.
  const extremes = [...rising.slice(0, 2), ...rising.slice(-2)]
  const isOut = (value: number) => {
    const others = extremes.filter((other) => other !== value)
    return isImpossible(key, value, others)
  }
  const outliers = new Set<number>()
  for (const inwards of [rising, rising.toReversed()]) {
    for (const value of inwards) {
      if (!isOut(value)) break
      outliers.add(value)
    }
  }
  return outliers
}

function toNumber(value: MetaValue | undefined): number | undefined {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined
}

/**
 * The numeric meta keys worth a column: those whose values differ or that some lack, and metrics that a checkpoint is the
 * best by; all, where only one is there. Ranked by use: the metric by which the run is judged, other metrics, other numbers, and bookkeeping last.
 */
export function varyingKeys(checkpoints: readonly Checkpoint[]): string[] {
  const columns = new Map<string, { readonly values: Set<number | bigint>; count: number }>()
  for (const { meta } of checkpoints) {
    for (const [key, value] of meta) {
      if ((typeof value !== 'number' && typeof value !== 'bigint') || bookkeeping.has(key)) continue
      const column = columns.get(key) ?? { values: new Set(), count: 0 }
      column.values.add(value)
      column.count += 1
      columns.set(key, column)
    }
  }
  const speaking = checkpoints.filter((checkpoint) => checkpoint.meta.size > 0).length
  const varies = ({ values, count }: { values: Set<unknown>; count: number }) => values.size > 1 || count < speaking
  const judging = new Set(metricOrders(checkpoints).map(({ key }) => key))
  const keys = [...columns]
    .filter(([key, column]) => speaking === 1 || varies(column) || judging.has(key))
    .map(([key]) => key)
  const directions = frameworkDirections(checkpoints)
  const monitored = new Set(monitoredKeys(checkpoints))
  const use = (key: string) => {
    if (monitored.has(key)) return 0
    if ((directions.get(key) ?? directionOf(key)) !== undefined) return 1
    return isBookkeeping(key) ? 3 : 2
  }
  return keys
    .map((key) => ({ key, rank: use(key) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ key }) => key)
}
