/** What differs between two runs: how they were started, how they went, what came of them. */
import type { Checkpoint, HyperParameters, MetaValue, Run } from '../../checkpoint.js'
import { readCodeVersion, readHyperParameters, type CodeVersion } from '../../checkpoints/hyperparameters/index.js'
import { TotalSize } from '../../checkpoints/layouts/index.js'
import { metricOrders, varyingKeys } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { axisOf, curvesOf, type Curve, type CurveAxis } from './curves.js'
import { examine } from '../opening/open-run.js'
import { arrange } from '../opening/rank-and-filter.js'
import { bestKnown, type BestOfRun } from './summarise-run.js'

/** One of the two. */
export interface ComparedRun {
  /** Absolute. */
  readonly path: string
  /** Newest first, with sizes and times. */
  readonly checkpoints: readonly Checkpoint[]
  /** Bytes; a file with several names counts once. */
  readonly size: number
  readonly best: BestOfRun | null
  readonly code: CodeVersion | null
}

/** A hyper-parameter that the two do not have alike; undefined: that one has none of the name. */
export interface DifferentSetting {
  readonly name: string
  readonly a: MetaValue | undefined
  readonly b: MetaValue | undefined
}

/** One metric where both have a value. */
export interface ComparedMetric {
  readonly key: string
  /** By x, which both have. */
  readonly points: readonly { readonly x: number; readonly a: number; readonly b: number }[]
}

export interface RunComparison {
  readonly a: ComparedRun
  readonly b: ComparedRun
  readonly settings: readonly DifferentSetting[]
  /** How many hyper-parameters both have alike. */
  readonly alike: number
  /** What the metrics are compared along. */
  readonly axis: CurveAxis
  readonly metrics: readonly ComparedMetric[]
}

/** Takes a stat of each file; no tensor is read. `now` is Unix seconds. */
export async function compareRuns(storage: ReadStorage, a: Run, b: Run, now: number): Promise<RunComparison> {
  const one = await lookAt(storage, a, now)
  const other = await lookAt(storage, b, now)
  const pair = [one, other].map(({ run }) => ({ path: run.path, checkpoints: run.checkpoints }))
  const axis = axisOf(pair)
  const keys = metricsOfBoth(one.run.checkpoints, other.run.checkpoints)
  const curves = await Promise.all(pair.map((run) => curvesOf(storage, run, keys, axis)))
  const settings = compareSettings(one.settings, other.settings)
  return {
    a: one.run,
    b: other.run,
    ...settings,
    axis,
    metrics: keys.map((key, index) => ({ key, points: pointsOfBoth(curves[0]?.[index], curves[1]?.[index]) })),
  }
}

async function lookAt(
  storage: ReadStorage,
  run: Run,
  now: number,
): Promise<{ readonly run: ComparedRun; readonly settings: HyperParameters }> {
  const total = new TotalSize()
  const examined = await examine(storage, run.checkpoints, run.checkpoints, 'none', { total })
  const { ordered } = await arrange(storage, examined, { orders: [], where: [] }, now, ['time', 'step', 'epoch'])
  const { all: settings } = await readHyperParameters(storage, run)
  const code = await readCodeVersion(storage, run, settings)
  const best = bestKnown(ordered, ordered, now)
  return { run: { path: run.path, checkpoints: ordered, size: total.bytes, best, code }, settings }
}

/** Metrics by their names; where the two share none, all numbers that they share and that vary. */
function metricsOfBoth(a: readonly Checkpoint[], b: readonly Checkpoint[]): string[] {
  const shared = (first: readonly string[], second: readonly string[]) => first.filter((key) => second.includes(key))
  const keysOf = (checkpoints: readonly Checkpoint[]) => metricOrders(checkpoints).map(({ key }) => key)
  const metrics = shared(keysOf(a), keysOf(b))
  return metrics.length > 0 ? metrics : shared(varyingKeys(a), varyingKeys(b))
}

function pointsOfBoth(a: Curve | undefined, b: Curve | undefined): ComparedMetric['points'] {
  const others = new Map(b?.points.map(({ x, y }) => [x, y]))
  return (a?.points ?? []).flatMap(({ x, y }) => {
    const other = others.get(x)
    return other === undefined || Number.isNaN(y) || Number.isNaN(other) ? [] : [{ x, a: y, b: other }]
  })
}

function compareSettings(a: HyperParameters, b: HyperParameters): Pick<RunComparison, 'settings' | 'alike'> {
  const names = [...new Set([...a.keys(), ...b.keys()])]
  const settings = names.flatMap((name): DifferentSetting[] => {
    const [one, other] = [a.get(name)?.value, b.get(name)?.value]
    return isAlike(one, other) ? [] : [{ name, a: one, b: other }]
  })
  return { settings, alike: names.length - settings.length }
}

/** As they would be written: what is kept as text has no other identity. NaN is itself. */
function isAlike(a: MetaValue | undefined, b: MetaValue | undefined): boolean {
  return Object.is(a, b) || (a !== undefined && b !== undefined && typeof a === typeof b && textOf(a) === textOf(b))
}

function textOf(value: MetaValue): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return JSON.stringify(value, (_, one: unknown) =>
    one instanceof Map ? [...(one as Map<unknown, unknown>)] : typeof one === 'bigint' ? `${one}n` : one,
  )
}
