/** How metrics went over a training: what was logged, and what the checkpoints say themselves. */
import { isSound, ownValue, timeOf, type Checkpoint, type Run } from '../../checkpoint.js'
import { complete, measure, readHistory, type History } from '../../checkpoints/layouts/index.js'
import { directionOf } from '../../checkpoints/meta/index.js'
import { toNumeric } from '../../choosing/expression/index.js'
import { byRecency, rank } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/** Time is unix seconds. */
export type CurveAxis = 'step' | 'epoch' | 'time'

export interface CurvePoint {
  readonly x: number
  /** NaN where there is none: a gap. */
  readonly y: number
}

export interface CheckpointPoint extends CurvePoint {
  /** The checkpoint's. */
  readonly name: string
}

export interface Curve {
  /** Absolute. */
  readonly run: string
  readonly key: string
  /** Absolute: the logs that the points are from; none where they are the checkpoints' own values. */
  readonly logs: readonly string[]
  /** By x; of equal ones the later value alone. */
  readonly points: readonly CurvePoint[]
  /**
   * By x, the checkpoints that have the value, or had it logged at their place or before it; of equal x the best, else
   * the later alone.
   */
  readonly checkpoints: readonly CheckpointPoint[]
  /** Null where the direction is not known, or no checkpoint has a value. */
  readonly best: CheckpointPoint | null
}

/**
 * The first of step, epoch and time that every checkpoint of the runs has that tells anything: one that is damaged, or an
 * average, has no place on a curve. `time` wants them measured.
 */
export function axisOf(runs: readonly Run[], counts: readonly ('step' | 'epoch')[] = ['step', 'epoch']): CurveAxis {
  const all = runs.flatMap(({ checkpoints }) => checkpoints)
  const withMeta = all.filter(({ meta }) => meta.size > 0)
  const asked = withMeta.length > 0 ? withMeta : all
  return counts.find((axis) => asked.length > 0 && asked.every((one) => one[axis] !== null)) ?? 'time'
}

/**
 * The curves that have a point, of all the runs along one axis: where none is asked that of `axisOf`, or the epochs where
 * the logs know no other. Steps and epochs that only small files in the checkpoints tell are read.
 */
export async function drawRuns(
  storage: ReadStorage,
  runs: readonly Run[],
  keys: readonly string[],
  asked?: CurveAxis,
): Promise<AxisCurves> {
  const counted = asked === 'time' ? runs : await Promise.all(runs.map((run) => withCounts(storage, run)))
  const axis = asked ?? firstAxis(runs, counted)
  const axes = asked === undefined && axis !== 'epoch' ? ([axis, 'epoch'] as const) : [axis]
  const along: AxisCurves[] = []
  for (const run of counted) {
    const timed = axis === 'time' ? { ...run, checkpoints: await measure(storage, run.checkpoints) } : run
    along.push(...(await curvesAlong(storage, timed, keys, axes)))
  }
  const drawn = asked ?? loggedAxis(axis, along)
  return { axis: drawn, curves: curvesWithPoints(along, drawn) }
}

async function withCounts(storage: ReadStorage, run: Run): Promise<Run> {
  return { ...run, checkpoints: await complete(storage, run.checkpoints) }
}

/** What the checkpoints count by themselves goes before what was read later: a step there may be one within its epoch. */
export function firstAxis(runs: readonly Run[], counted: readonly Run[]): CurveAxis {
  const axis = axisOf(runs)
  return axis === 'time' ? axisOf(counted, ['epoch', 'step']) : axis
}

/** `axis`, or the epochs where more of the curves are logged along those and none is lost: some logs know no other. */
export function loggedAxis(axis: CurveAxis, along: readonly AxisCurves[]): CurveAxis {
  const [here, there] = [curvesWithPoints(along, axis), curvesWithPoints(along, 'epoch')]
  const logged = (curves: readonly Curve[]) => curves.filter(({ logs }) => logs.length > 0).length
  return logged(there) > logged(here) && there.length >= here.length ? 'epoch' : axis
}

function curvesWithPoints(along: readonly AxisCurves[], axis: CurveAxis): Curve[] {
  const those = along.filter((one) => one.axis === axis)
  return those.flatMap(({ curves }) => curves.filter(({ points }) => points.length > 0))
}

export interface AxisCurves {
  readonly axis: CurveAxis
  readonly curves: readonly Curve[]
}

/** One curve for each key of the run. Logs count no times: along `time` the checkpoints' own values are taken. */
export async function curvesOf(
  storage: ReadStorage,
  run: Run,
  keys: readonly string[],
  axis: CurveAxis,
): Promise<readonly Curve[]> {
  const [along] = await curvesAlong(storage, run, keys, [axis])
  return along?.curves ?? []
}

/** The same along each of the axes: each log is read once. */
export async function curvesAlong(
  storage: ReadStorage,
  run: Run,
  keys: readonly string[],
  axes: readonly CurveAxis[],
): Promise<AxisCurves[]> {
  const counted = axes.filter((axis) => axis !== 'time')
  const histories: ReadonlyMap<CurveAxis, History> =
    counted.length === 0 ? new Map() : await readHistory(storage, run, keys, counted)
  // Of one state that has two names the second is not a point of its own.
  const checkpoints = byRecency(run.checkpoints).ordered.filter(({ sameAs }) => sameAs === undefined)
  return axes.map((axis) => ({ axis, curves: curvesFrom({ ...run, checkpoints }, keys, axis, histories.get(axis)) }))
}

/** The checkpoints of the run are the newest first. */
function curvesFrom(run: Run, keys: readonly string[], axis: CurveAxis, history: History | undefined): Curve[] {
  return keys.map((key) => {
    const logged = history?.values.get(key) ?? []
    const isLogged = logged.length > 0
    const log = byX(logged.map(({ x, value }) => ({ x, y: value })))
    const own = checkpointPoints(run, key, axis)
    const all = isLogged ? placedOn(log, own) : withAValue(own)
    const best = withAValue(own).length > 0 || !isLogged ? bestOf(run, key, all) : bestLogged(run, key, all)
    const checkpoints = byX(best === null ? all : [...all, best])
    const points = isLogged ? log : checkpoints
    const logs = isLogged ? (history?.files ?? []) : []
    return {
      run: run.path,
      key,
      logs,
      points: points.map(({ x, y }) => ({ x, y })),
      checkpoints: checkpoints.filter(({ y }) => !Number.isNaN(y)),
      best,
    }
  })
}

/** The oldest first; one that lacks the value is a gap. */
function checkpointPoints({ checkpoints }: Run, key: string, axis: CurveAxis): CheckpointPoint[] {
  return checkpoints.toReversed().flatMap((checkpoint): CheckpointPoint[] => {
    const x = axis === 'time' ? timeOf(checkpoint) : checkpoint[axis]
    return x === null || !Number.isFinite(x) ? [] : [{ name: checkpoint.name, x, y: valueOf(checkpoint, key) }]
  })
}

/** None where all are gaps. */
function withAValue(points: readonly CheckpointPoint[]): readonly CheckpointPoint[] {
  return points.some(({ y }) => !Number.isNaN(y)) ? points : []
}

/** Those without a value of their own have what was logged last before them; `log` is by x. Beyond its ends is nothing. */
function placedOn(log: readonly CurvePoint[], points: readonly CheckpointPoint[]): CheckpointPoint[] {
  const end = log.at(-1)?.x ?? -Infinity
  return points.map((point) => {
    if (!Number.isNaN(point.y) || point.x > end) return point
    return { ...point, y: log[upTo(log, point.x) - 1]?.y ?? NaN }
  })
}

/** How many of the points, which are by x, lie at `x` or before it. */
function upTo(points: readonly CurvePoint[], x: number): number {
  let [low, high] = [0, points.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((points[middle]?.x ?? Infinity) <= x) low = middle + 1
    else high = middle
  }
  return low
}

function valueOf(checkpoint: Checkpoint, key: string): number {
  return Number(toNumeric(ownValue(checkpoint, key)) ?? NaN)
}

function byX<P extends CurvePoint>(points: readonly P[]): P[] {
  const last = new Map(points.map((point) => [point.x, point]))
  return [...last.values()].sort((a, b) => a.x - b.x)
}

/** The same that `list` marks: whole, and of equal ones the newest. */
function bestOf(run: Run, key: string, points: readonly CheckpointPoint[]): CheckpointPoint | null {
  const kind = directionIn(run, key)
  if (kind === undefined) return null
  const [best] = rank(run.checkpoints.filter(isSound), { kind, key }, 0)
  return points.find(({ name, y }) => name === best?.name && !Number.isNaN(y)) ?? null
}

/** The same of a key that no checkpoint has itself. */
function bestLogged(run: Run, key: string, points: readonly CheckpointPoint[]): CheckpointPoint | null {
  const kind = directionIn(run, key)
  if (kind === undefined) return null
  const sound = new Set(run.checkpoints.filter(isSound).map(({ name }) => name))
  const isBetter = (a: number, b: number) => (kind === 'min' ? a <= b : a >= b)
  let best: CheckpointPoint | null = null
  for (const point of points) {
    if (!Number.isFinite(point.y) || !sound.has(point.name)) continue
    if (best === null || isBetter(point.y, best.y)) best = point
  }
  return best
}

function directionIn({ checkpoints }: Run, key: string): 'min' | 'max' | undefined {
  const direction = checkpoints.find(({ directions }) => directions?.has(key) === true)?.directions?.get(key)
  return direction ?? directionOf(key)
}

/**
 * The running mean of the values, each before it counting `weight` times the next (0 is none, below 1), without the pull
 * of the beginning to 0. Gaps stay gaps.
 */
export function smoothed(points: readonly CurvePoint[], weight: number): CurvePoint[] {
  let sum = 0
  let share = 0
  return points.map(({ x, y }) => {
    if (!Number.isFinite(y)) return { x, y }
    sum = weight * sum + (1 - weight) * y
    share = weight * share + (1 - weight)
    return { x, y: sum / share }
  })
}
