/** A run in one line: how many checkpoints, the newest, the best, whether all are whole, how large. */
import {
  isSound,
  ownValue,
  type Checkpoint,
  type Grade,
  type HealthLevel,
  type HyperParameters,
  type Run,
} from '../../checkpoint.js'
import { readHyperParameters, readRunName } from '../../checkpoints/hyperparameters/index.js'
import { TotalSize } from '../../checkpoints/layouts/index.js'
import { evaluationsAmong } from '../../checkpoints/meta/index.js'
import {
  bestPerMetric,
  describeContradictions,
  describeOrder,
  impossibleMetrics,
  metricOrders,
  namedBests,
  rank,
  unknownKeys,
  valueFor,
  type Order,
  type UnknownKey,
} from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { examine, type ExamineOptions } from '../opening/open-run.js'
import { withKnownSettings } from '../opening/with-settings.js'
import { arrange, namesInQuery, type Query } from '../opening/rank-and-filter.js'

export interface BestOfRun {
  readonly checkpoint: Checkpoint
  /** The metric, or what was asked for as it would be typed: `--by '-loss'`; `named` where the framework names it by none. */
  readonly by: string
  /** Absent where the framework only names it. */
  readonly direction?: 'min' | 'max'
  readonly value?: number | bigint
  /** No measurement gives this value: an averaged model was saved under it. */
  readonly isImpossible: boolean
}

/** It holds few checkpoints, so that thousands of runs can be summed up at once. */
export interface RunSummary {
  /** Absolute. */
  readonly path: string
  /** What its program calls it; null where that tells nothing, or where it was not asked for. */
  readonly name: string | null
  /** How many checkpoints it has. */
  readonly count: number
  /** Ids, each once. */
  readonly layouts: readonly string[]
  /** How many of its checkpoints the query selects. */
  readonly matching: number
  /** The newest of those selected. */
  readonly latest: Checkpoint | null
  /** Of those selected. Null where no metric is known, or no checkpoint has the value that was asked for. */
  readonly best: BestOfRun | null
  /** How many checkpoints have each grade. */
  readonly grades: ReadonlyMap<Grade, number>
  /** Bytes of all its checkpoints; a file with several names counts once. */
  readonly size: number
  /** What it was started with; empty where that was not asked for. */
  readonly settings: HyperParameters
  /** Names that were asked of its checkpoints, and that none of them has. */
  readonly unknown: readonly UnknownKey[]
  /** For people: orders that go against what is known of their metrics. */
  readonly contradictions: readonly string[]
}

export interface SummaryRequest {
  readonly query: Query
  /** What decides who is best; undefined: the metric that the run is judged by. */
  readonly order: Order | undefined
  readonly verify: HealthLevel
  /** Further names that will be asked of its checkpoints. */
  readonly names?: readonly string[]
  /** Looks for what the run was started with, whether or not a name asks for it. */
  readonly withSettings?: boolean
  /** Looks for what the run is called. */
  readonly withName?: boolean
  /** Unix seconds. */
  readonly now: number
}

const none: HyperParameters = new Map()

/** Takes a stat of each file. */
export async function summariseRun(
  storage: ReadStorage,
  run: Run,
  { query, order, verify, names = [], withSettings = false, withName = false, now }: SummaryRequest,
  options: Omit<ExamineOptions, 'total'> = {},
): Promise<RunSummary> {
  const total = new TotalSize()
  const checkpoints = await examine(storage, run.checkpoints, run.checkpoints, verify, { ...options, total })
  const { all: settings } = withSettings ? await readHyperParameters(storage, run) : { all: none }
  const known = withSettings ? withKnownSettings(checkpoints, settings) : checkpoints
  const { ordered, selected } = await arrange(storage, known, query, now, names)
  const [latest = null] = selected
  return {
    path: run.path,
    name: withName ? await readRunName(storage, run) : null,
    count: checkpoints.length,
    layouts: [...new Set(checkpoints.map(({ layout }) => layout))],
    matching: selected.length,
    latest,
    best: order === undefined ? bestKnown(selected, ordered, now) : bestBy(selected, ordered, order, now),
    grades: countGrades(checkpoints),
    size: total.bytes,
    settings,
    unknown: unknownKeys(new Set([...namesInQuery(query), ...names]), ordered),
    contradictions: query.orders.length === 0 ? [] : describeContradictions(query.orders, ordered),
  }
}

function countGrades(checkpoints: readonly Checkpoint[]): ReadonlyMap<Grade, number> {
  const counts = new Map<Grade, number>()
  for (const { health } of checkpoints) counts.set(health.grade, (counts.get(health.grade) ?? 0) + 1)
  return counts
}

/** Damaged ones are the best only where no other has the value, as `find` has it. */
function bestBy(
  selected: readonly Checkpoint[],
  ordered: readonly Checkpoint[],
  order: Order,
  now: number,
): BestOfRun | null {
  const ranked = rank(selected, order, now)
  const checkpoint = ranked.find(isSound) ?? ranked[0]
  if (checkpoint === undefined) return null
  const value = valueFor(checkpoint, order, now)
  const isMetric = order.kind === 'min' || order.kind === 'max'
  return {
    checkpoint,
    by: isMetric ? order.key : describeOrder(order),
    ...(isMetric ? { direction: order.kind } : {}),
    ...(value === undefined ? {} : { value }),
    isImpossible: isMetric && isImpossibleIn(ordered, checkpoint, order.key),
  }
}

/**
 * By the metric that the framework names its best by, else the first evaluation there is: of one metric the same
 * checkpoint that `list` marks as the best. `now` is Unix seconds.
 */
export function bestKnown(
  selected: readonly Checkpoint[],
  ordered: readonly Checkpoint[],
  now: number,
): BestOfRun | null {
  const named = namedBests(ordered)
  const orders = evaluationsAmong(metricOrders(ordered))
  const bests = bestPerMetric(selected, now)
  const judged = orders.find(({ key }) => named.some(({ pointer }) => pointer.metric === key))
  for (const order of judged === undefined ? orders : [judged, ...orders]) {
    const checkpoint = bests.get(order.key)
    const value = checkpoint && ownValue(checkpoint, order.key)
    if (checkpoint === undefined || (typeof value !== 'number' && typeof value !== 'bigint')) continue
    const isImpossible = isImpossibleIn(ordered, checkpoint, order.key)
    return { checkpoint, by: order.key, direction: order.kind, value, isImpossible }
  }
  const only = named.find(({ path }) => selected.some((one) => one.path === path))
  if (only?.checkpoint == null) return null
  return { checkpoint: only.checkpoint, by: only.pointer.metric ?? 'named', isImpossible: false }
}

function isImpossibleIn(ordered: readonly Checkpoint[], { path }: Checkpoint, key: string): boolean {
  return impossibleMetrics(ordered).get(path)?.includes(key) === true
}
