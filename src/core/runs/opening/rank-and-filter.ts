/** Checkpoints in order and filtered, as a query asks. */
import type { Checkpoint } from '../../checkpoint.js'
import type { Expression } from '../../choosing/expression/index.js'
import { complete, measure } from '../../checkpoints/layouts/index.js'
import {
  byRecency,
  describeContradictions,
  describeFutureTimes,
  futureTimed,
  describeTrainings,
  describeUnknownKey,
  filter,
  needsComplete,
  namesIn as namesInOrder,
  needsHealth,
  needsMeasure,
  ofTraining,
  unknownKeys,
  type Order,
  type TrainingChoice,
  type UnknownKey,
} from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { examineAcross } from './open-run.js'
import { withSettingsFor } from './with-settings.js'

/** Which checkpoints are meant, and which of them is best. */
export interface Query {
  /** The first decides where one checkpoint is wanted. */
  readonly orders: readonly Order[]
  /** All of them must hold. */
  readonly where: readonly Expression[]
  /** Of several trainings in one folder the one that is meant; left out: all of them. */
  readonly training?: TrainingChoice | undefined
}

/** What a query comes to. */
export interface Arranged {
  /** All checkpoints, newest first. */
  readonly ordered: readonly Checkpoint[]
  /** The trainings that lie in the run, the oldest first; one where nothing tells them apart. */
  readonly trainings: readonly (readonly Checkpoint[])[]
  /** Those of the training asked for and for which every filter is true, newest first. */
  readonly selected: readonly Checkpoint[]
  /** Of the names beside the query, those that no checkpoint has. */
  readonly unknown: readonly UnknownKey[]
  /** For people: keys that no checkpoint has, an order that puts the worst first, an order by file times alone. */
  readonly warnings: readonly string[]
}

/** First reads of the checkpoints what the query and the further `names` need. `now` is Unix seconds. */
export async function arrange(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  query: Query,
  now: number,
  names: readonly string[] = [],
): Promise<Arranged> {
  const inQuery = new Set(namesInQuery(query))
  const asked = new Set([...inQuery, ...names])
  const completed = needsComplete(checkpoints, asked) ? await complete(storage, checkpoints) : checkpoints
  // A meta's time that lies in the future cannot be right: the times of the files are needed to judge it.
  const isMeasured = needsMeasure(completed, asked) || futureTimed(completed, now).length > 0
  const measured = isMeasured ? await measure(storage, completed) : completed
  const known = needsHealth(measured, asked) ? await examineAcross(storage, measured, measured, 'quick') : measured
  const settled = await withSettingsFor(storage, known, asked)
  const { ordered, trainings, warning } = byRecency(settled)
  const slips = [
    ...describeTrainings(trainings, query.training),
    ...describeFutureTimes(known, now),
    ...unknownKeys(inQuery, settled).map(describeUnknownKey),
    ...(query.orders.length === 0 ? [] : describeContradictions(query.orders, ordered)),
  ]
  return {
    ordered,
    trainings,
    selected: filter(ofTraining(ordered, trainings, query.training), query.where, now),
    unknown: unknownKeys(new Set(names), settled),
    warnings: warning === undefined ? slips : [warning, ...slips],
  }
}

/** For an error where the query leaves none of `count` checkpoints: `none of the 6 checkpoints matches WER < 1`. */
export function describeNoMatch(count: number, { where, orders }: Query): string {
  const filters = where.map((expression) => expression.text).join(' and ')
  const values = orders.map(valueOf).join(' and ')
  if (filters === '' && values === '') return `${noneOf(count)} ${count === 1 ? 'is not' : 'is'} of that training`
  if (count === 1) {
    const missing = values === '' ? [] : [`has no value for ${values}`]
    return `${noneOf(count)} ${[...(filters === '' ? [] : [`does not match ${filters}`]), ...missing].join(', or ')}`
  }
  const wanted = values === '' ? [] : [`has a value for ${values}`]
  return `${noneOf(count)} ${[...(filters === '' ? [] : [`matches ${filters}`]), ...wanted].join(' and ')}`
}

function valueOf(order: Order): string {
  if (order.kind === 'named') return order.label
  return order.kind === 'by' ? order.expression.text : JSON.stringify(order.key)
}

function noneOf(count: number): string {
  return count === 1 ? 'the only checkpoint' : `none of the ${count} checkpoints`
}

/** The same with the names that no checkpoint has, and what they may have been meant as. */
export function explainNoMatch(query: Query, checkpoints: readonly Checkpoint[]): string {
  const slips = unknownKeys(new Set(namesInQuery(query)), checkpoints).map(describeUnknownKey)
  return slips.length > 0 ? slips.join(', ') : describeNoMatch(checkpoints.length, query)
}

/** The names that it asks of checkpoints. */
export function namesInQuery(query: Query): string[] {
  return [...query.where.flatMap((expression) => [...expression.names]), ...namesInOrders(query)]
}

export function namesInOrders({ orders }: Query): string[] {
  return orders.flatMap(namesInOrder)
}
