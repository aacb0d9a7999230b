/** The course of each metric, a line each: its curve, and the best and worst value of all checkpoints. */
import type { Paint } from './colours.js'
import { flowing } from './flowing.js'
import { printable } from './printable.js'
import { sparkline } from './sparkline.js'
import { formatNumber } from './units.js'
import { cutText, displayWidth } from './text-width.js'

export interface Extreme {
  readonly value: number | bigint
  /** The checkpoint's. */
  readonly name: string
}

export interface Trend {
  readonly metric: string
  /** Oldest first; NaN where there is none. */
  readonly values: readonly number[]
  /** Null where it is not known which way is better: then the best is the lowest, and the worst the highest. */
  readonly direction: 'min' | 'max' | null
  readonly best: Extreme
  readonly worst: Extreme
}

/** Fewer make no curve. */
const fewest = 2
const curve = { least: 12, most: 60 }
/** Of a line that is folded. */
const foldedCurve = 20
const gap = '  '

interface TrendOptions {
  readonly width: number
  readonly unicode: boolean
  readonly paint: Paint
  /** Metrics that have a line of their own; of the others only the worst value is shown. */
  readonly most: number
}

export function trendLines(trends: readonly Trend[], options: TrendOptions): string[] {
  const drawn = trends.filter(({ values }) => values.filter((value) => !Number.isNaN(value)).length >= fewest)
  if (drawn.length === 0) return []
  const rows = drawn.slice(0, options.most).map(rowOf)
  const lines = besideEachOther(rows, options) ?? rows.flatMap((row) => folded(row, options))
  return ['', ...lines, ...others(drawn.slice(options.most).map(rowOf), options)]
}

interface TrendRow {
  readonly metric: string
  readonly values: readonly number[]
  readonly labels: readonly [string, string]
  readonly best: string
  readonly bestName: string
  readonly worst: string
  readonly worstName: string
}

function rowOf({ metric, values, direction, best, worst }: Trend): TrendRow {
  return {
    metric: printable(metric),
    values,
    labels: direction === null ? ['lowest', 'highest'] : ['best', 'worst'],
    best: formatNumber(best.value),
    bestName: printable(best.name),
    worst: formatNumber(worst.value),
    worstName: printable(worst.name),
  }
}

/** In columns; null where there is no room for them and a curve. */
function besideEachOther(rows: readonly TrendRow[], { width, unicode, paint }: TrendOptions): string[] | null {
  const widest = (textOf: (row: TrendRow) => string) => Math.max(...rows.map((row) => displayWidth(textOf(row))))
  const metric = widest((row) => row.metric)
  const best = { label: widest(({ labels }) => labels[0]), value: widest((row) => row.best) }
  const worst = { label: widest(({ labels }) => labels[1]), value: widest((row) => row.worst) }
  const names = { best: widest((row) => row.bestName), worst: widest((row) => row.worstName) }
  const plain = metric + best.label + best.value + worst.label + worst.value + 8
  const hasNames = plain + names.best + names.worst + 6 + curve.least <= width
  const room = Math.min(curve.most, width - plain - (hasNames ? names.best + names.worst + 6 : 0))
  if (room < curve.least) return null
  const longest = Math.min(room, Math.max(...rows.map(({ values }) => values.length)))
  const nameOf = (name: string, columns: number) => (hasNames ? right(` (${name})`, columns + 3) : '')
  return rows.map((row) => {
    const line = right(sparkline(row.values, longest, unicode), longest)
    const [bestLabel, worstLabel] = row.labels
    const record = `${paint('faint', right(bestLabel, best.label))} ${paint('title', left(row.best, best.value))}`
    const depth = `${paint('faint', right(worstLabel, worst.label))} ${left(row.worst, worst.value)}`
    const texts = [
      right(row.metric, metric),
      paint('accent', line),
      record + nameOf(row.bestName, names.best),
      depth + nameOf(row.worstName, 0),
    ]
    return texts.join(gap).trimEnd()
  })
}

/** As many of its parts on a line as there is room for. */
function folded({ metric, values, labels, best, worst }: TrendRow, { width, unicode, paint }: TrendOptions): string[] {
  const room = Math.max(1, Math.min(foldedCurve, width - gap.length))
  return flowing(
    [
      { text: cutText(metric, width) },
      {
        text: sparkline(values, Math.min(room, values.length), unicode).trimEnd(),
        paint: (text) => paint('accent', text),
      },
      { text: `${labels[0]} ${best}`, paint: (text) => paint('title', text) },
      { text: `${labels[1]} ${worst}` },
    ],
    width,
  )
}

/** Metrics without a line of their own still show their worst value. */
function others(rows: readonly TrendRow[], { width, unicode, paint }: TrendOptions): string[] {
  if (rows.length === 0) return []
  const to = unicode ? '–' : ' to '
  const texts = rows.map(({ metric, labels: [, label], best, worst }, index) => {
    const values = label === 'worst' ? worst : `${best}${to}${worst}`
    return { text: `${metric} ${values}${index === rows.length - 1 ? '' : ','}` }
  })
  return flowing([{ text: `worst of ${rows.length} more:` }, ...texts], width, ' ').map((line) => paint('faint', line))
}

/** Filled up with spaces on the right, or on the left. */
function right(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)))
}

function left(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - displayWidth(text))) + text
}
