/** A run as `list` shows it. */
import { relative } from 'node:path'
import type { Checkpoint, Run } from '../core/checkpoint.js'
import { findLayout } from '../core/checkpoints/layouts/index.js'
import { columnFor, isMetaColumn, summarise, toDocument, type Row } from './checkpoints.js'
import { painter } from './colours.js'
import { hangBehindPath } from './hanging-indent.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { valuesOf } from './settings.js'
import { shortenNames } from './shorten.js'
import { trendLines, type Trend } from './trends.js'
import { hiddenBy, lasting, laterLeaveFirst, renderTable, staying, type Hidden } from './table.js'
import { formatSize, plural } from './units.js'

export interface View {
  readonly run: Run
  /** Those shown. */
  readonly rows: readonly Row[]
  /** Names of columns and meta keys. */
  readonly columns: readonly string[]
  /** How many there would be without a limit. */
  readonly matching: number
  /** Bytes of those shown, together; null where it is not known. */
  readonly size: number | null
  /** All columns stay, however wide. */
  readonly wide: boolean
  /** Keys of the metrics by which the run is judged: their columns stay, however narrow the terminal. */
  readonly monitored: ReadonlySet<string>
  /** How the metrics went, below the table where there is room. */
  readonly trends?: readonly Trend[]
  /** Each metric has a line of its own, however many there are. */
  readonly isAll: boolean
}

/** The columns worth showing of these checkpoints. */
export function columnNames(shown: readonly Checkpoint[], varying: readonly string[]): string[] {
  const epoch = shown.some((checkpoint) => checkpoint.epoch !== null) ? ['epoch'] : []
  const step = shown.some((checkpoint) => checkpoint.step !== null) ? ['step'] : []
  return ['name', 'age', ...epoch, ...step, ...varying, 'size', 'marks']
}

export async function renderRun(
  view: View,
  { now, output }: { now: number; output: Output },
): Promise<Iterable<string>> {
  const paint = painter(output.colours)
  const columns = laterLeaveFirst(
    view.columns.map((name) => {
      const column = columnFor(name, { now, paint, brief: output.isTerminal })
      return view.monitored.has(name) && isMetaColumn(name) ? staying(column) : column
    }),
  )
  const width = view.wide ? Number.POSITIVE_INFINITY : output.width
  const table = [...(await renderTable(columns, view.rows, { isTerminal: output.isTerminal, width, paint }))]
  if (!output.isTerminal) return table
  const damaged = view.rows.flatMap(({ checkpoint: { name, health } }) =>
    health.findings.length === 0 ? [] : [paint('bad', `${printable(name)}: ${summarise(health)}`)],
  )
  const below = footer(view, hiddenBy(columns, view.rows, width)).map((line) => paint('faint', line))
  const above = heading(view, output.width).map((line) => paint('faint', line))
  const taken = above.length + table.length + damaged.length + below.length
  const trends = trendLines(view.trends ?? [], {
    width: output.width,
    unicode: output.hasUnicode,
    paint,
    most: view.isAll ? Infinity : roomFor(usualTrends, taken, output),
  })
  return [...above, ...table, ...damaged, ...trends, ...below]
}

/** Metrics, and with -r runs, that have a line of their own however low the terminal is. */
const usualTrends = 6
const usualCurves = 10
/** Lines of a terminal beside the table: what was typed, what comes next, and those between the parts. */
const between = 4

function roomFor(least: number, taken: number, { height }: Output): number {
  return Math.max(least, (height ?? 0) - taken - between)
}

/** Rows of many runs, in order. */
export interface FlatView extends Pick<View, 'rows' | 'columns' | 'matching' | 'monitored' | 'isAll'> {
  /** The columns are those that were named: all of them stay. */
  readonly isChosen: boolean
  /** Absolute: where the search for runs began. */
  readonly root: string
  /** Of one metric, how it went in the runs whose checkpoints are shown, below the table where there is room. */
  readonly curves: { readonly metric: string; readonly ofRuns: ReadonlyMap<string, Trend> } | null
}

/** Beside the names of runs there is less room: what a narrow terminal does without once other metrics are gone. */
const leavesBesideRuns: ReadonlyMap<string, number> = new Map([
  ['marks', 0.6],
  ['size', 0.4],
])

/** On a terminal runs are named relative to where the search began, and shortened where there is no room. */
export async function renderFlat(
  view: FlatView,
  { now, output }: { now: number; output: Output },
): Promise<Iterable<string>> {
  const paint = painter(output.colours)
  const { isTerminal } = output
  const columns = laterLeaveFirst(
    view.columns.map((name) => {
      const column = columnFor(name, { now, paint, brief: isTerminal })
      if (name === 'run' && isTerminal) {
        const cell = ({ checkpoint }: Row) => printable(relative(view.root, checkpoint.run) || '.')
        return { ...column, shortens: true, cell }
      }
      if (view.isChosen) return lasting(column)
      if (leavesBesideRuns.has(name)) return { ...column, leaves: leavesBesideRuns.get(name) ?? 0 }
      if (name === 'name') return { ...column, leaves: -1 }
      return view.monitored.has(name) && isMetaColumn(name) ? staying(column) : column
    }),
  )
  const width = view.isAll ? Number.POSITIVE_INFINITY : output.width
  const table = [...(await renderTable(columns, view.rows, { isTerminal, width, paint }))]
  if (!isTerminal) return table
  const below = footer(view, hiddenBy(columns, view.rows, width)).map((line) => paint('faint', line))
  return [...table, ...curvesOfRuns(view, table.length + below.length, output), ...below]
}

/** A curve for each run, in the order in which the table has them. */
function curvesOfRuns({ root, curves, isAll }: FlatView, taken: number, output: Output): string[] {
  if (curves === null) return []
  const paint = painter(output.colours)
  const all = [...curves.ofRuns]
  const names = shortenNames(
    all.map(([run]) => printable(relative(root, run) || '.')),
    Math.floor(output.width / 3),
  )
  const trends = all.map(([, trend], index) => ({ ...trend, metric: names[index] ?? '' }))
  const most = isAll ? Infinity : roomFor(usualCurves, taken + 1, output)
  const lines = trendLines(trends, { width: output.width, unicode: output.hasUnicode, paint, most })
  return lines.length === 0 ? [] : ['', paint('title', printable(curves.metric)), ...lines.slice(1)]
}

function heading({ run, size }: View, width: number): string[] {
  const shown = size === null ? '' : `, ${formatSize(size)}`
  const titles = layoutsOf(run).map((id) => findLayout(id)?.title ?? id)
  const sum = `${plural(run.checkpoints.length, 'checkpoint')}${shown} (${titles.join(', ')})`
  return hangBehindPath(run.path, sum, width)
}

function footer({ rows, matching }: Pick<View, 'rows' | 'matching'>, { columns, cut }: Hidden): string[] {
  const hidden = [
    ...(columns > 0 ? [`${plural(columns, 'column')} hidden`] : []),
    ...cut.map((title) => `${title.toLowerCase()} cut`),
  ]
  return [
    ...(rows.length < matching ? [`… and ${matching - rows.length} more: --all shows them`] : []),
    ...(hidden.length > 0 ? [`${hidden.join(', ')}: --all`] : []),
  ]
}

export function layoutsOf(run: Run): string[] {
  return [...new Set(run.checkpoints.map((checkpoint) => checkpoint.layout))]
}

/** The same beside others, with what it was started with. */
export function runOfManyDocument(view: View): Record<string, unknown> {
  const settings = view.run.checkpoints[0]?.settings
  return { ...runDocument(view), hyperparameters: valuesOf(settings?.all ?? new Map()) }
}

export function runDocument({ run, rows }: View): { run: string; layout: string | null; checkpoints: unknown[] } {
  const layouts = layoutsOf(run)
  return {
    run: run.path,
    layout: layouts.length === 1 ? (layouts[0] ?? null) : null,
    checkpoints: rows.map(({ checkpoint, marks, training }) => ({
      ...toDocument(checkpoint),
      ...(training === undefined ? {} : { training }),
      marks,
    })),
  }
}
