/** What the chart draws: the curves of one key along one axis, as columns that share their x. */
import uPlot from 'uplot'
import type { AxisName, CurveData, ReportData, RunData } from '../report/data.js'
import { finiteOf } from './values.js'

export interface Line {
  readonly run: RunData
  readonly curve: CurveData
  /** Place among all runs: what gives it its colour. */
  readonly index: number
}

/** Lines of the key, one a run that has it. */
export function linesOf({ runs }: ReportData, key: string, axis: AxisName): Line[] {
  return runs.flatMap((run, index) => {
    const curve = run.curves.find((one) => one.key === key && one.axis === axis)
    return curve === undefined ? [] : [{ run, curve, index }]
  })
}

export interface Drawn {
  readonly lines: readonly Line[]
  /** x, then of each line its values and those of its checkpoints; null is a gap, undefined no point at all. */
  readonly columns: uPlot.AlignedData
  /** By line and x: the checkpoints that are marked there. */
  readonly names: readonly ReadonlyMap<number, string>[]
  /** Values that have no place on a logarithmic scale. */
  readonly leftOut: number
}

export function drawnOf(lines: readonly Line[], { log, smooth }: { log: boolean; smooth: number }): Drawn {
  let leftOut = 0
  const drawn = (value: unknown): number | null => {
    const number = finiteOf(value)
    if (number === null || !log || number > 0) return number
    leftOut += 1
    return null
  }
  const tables = lines.flatMap(({ curve }): uPlot.AlignedData[] => [
    sorted(curve.x, smoothed(curve.y.map(drawn), smooth)),
    sorted(
      curve.marks.x,
      curve.marks.y.map(finiteOf).map((value) => (log && value !== null && value <= 0 ? null : value)),
    ),
  ])
  const columns: uPlot.AlignedData = tables.length === 0 ? [[]] : uPlot.join(tables)
  return { lines, columns, names: lines.map(namesOf), leftOut }
}

/** uPlot wants each x once, in order; so are the points of a curve. */
function sorted(x: readonly number[], y: readonly (number | null)[]): uPlot.AlignedData {
  return [[...x], [...y]]
}

/** As `plot --smooth` draws them: each before counts `weight` times the next, without the pull of the beginning to 0. */
function smoothed(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight === 0) return [...values]
  let sum = 0
  let share = 0
  return values.map((value) => {
    if (value === null) return null
    sum = weight * sum + (1 - weight) * value
    share = weight * share + (1 - weight)
    return sum / share
  })
}

function namesOf({ run, curve }: Line): Map<number, string> {
  const names = new Map<number, string>()
  curve.marks.rows.forEach((row, index) => {
    const x = curve.marks.x[index]
    const checkpoint = run.checkpoints[row]
    if (x !== undefined && checkpoint !== undefined) names.set(x, checkpoint.name)
  })
  return names
}
