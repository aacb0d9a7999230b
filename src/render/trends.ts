/** How each metric went, a line each: its curve, the best and the worst of all, which a screenful may not show. */
import type { Paint } from './colours.js'
import { printable } from './printable.js'
import { sparkline } from './sparkline.js'
import { formatNumber } from './units.js'
import { displayWidth } from './text-width.js'

export interface Extreme {
  readonly value: number | bigint
  /** The checkpoint's. */
  readonly name: string
}

export interface Trend {
  readonly metric: string
  /** Oldest first; NaN where there is none. */
  readonly values: readonly number[]
  readonly best: Extreme
  readonly worst: Extreme
}

/** Fewer make no curve. */
const fewest = 3
/** Metrics that are told of. */
const usualMost = 6
const narrowest = 60
const curve = { least: 12, most: 60 }

interface TrendOptions {
  readonly width: number
  readonly unicode: boolean
  readonly paint: Paint
  /** Lines at most. */
  readonly most?: number
}

export function trendLines(
  trends: readonly Trend[],
  { width, unicode, paint, most = usualMost }: TrendOptions,
): string[] {
  const told = trends.filter(({ values }) => values.filter((value) => !Number.isNaN(value)).length >= fewest)
  if (told.length === 0 || width < narrowest) return []
  const rows = told.slice(0, most).map(({ metric, values, best, worst }) => ({
    metric: printable(metric),
    values,
    best: formatNumber(best.value),
    bestName: printable(best.name),
    worst: formatNumber(worst.value),
    worstName: printable(worst.name),
  }))
  const widest = (texts: readonly string[]) => Math.max(...texts.map(displayWidth))
  const [metric, best, worst] = (['metric', 'best', 'worst'] as const).map((key) => widest(rows.map((row) => row[key])))
  const names = widest(rows.map(({ bestName }) => bestName)) + widest(rows.map(({ worstName }) => worstName)) + 6
  const plain = (metric ?? 0) + (best ?? 0) + (worst ?? 0) + 2 + 7 + 8 + 4
  const hasNames = plain + names + curve.least <= width
  const room = Math.min(curve.most, width - plain - (hasNames ? names : 0))
  if (room < curve.least) return []
  const pad = (text: string, columns = 0) => text + ' '.repeat(Math.max(0, columns - displayWidth(text)))
  const left = (text: string, columns = 0) => ' '.repeat(Math.max(0, columns - displayWidth(text))) + text
  const longest = Math.min(room, Math.max(...rows.map(({ values }) => values.length)))
  const nameOf = (name: string, columns: number) => (hasNames ? pad(` (${name})`, columns + 3) : '')
  const bestNames = widest(rows.map(({ bestName }) => bestName))
  return [
    '',
    ...rows.map((row) => {
      const line = pad(sparkline(row.values, longest, unicode), longest)
      const record = `${paint('faint', 'best')} ${paint('title', left(row.best, best))}${nameOf(row.bestName, bestNames)}`
      const depth = `${paint('faint', 'worst')} ${left(row.worst, worst)}${nameOf(row.worstName, 0)}`
      return `${pad(row.metric, metric)}  ${paint('accent', line)}  ${record}  ${depth}`.trimEnd()
    }),
  ]
}
