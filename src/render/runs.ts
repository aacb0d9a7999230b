/** Many runs, one row each. */
import { relative } from 'node:path'
import { timeOf, type Checkpoint, type Grade } from '../core/checkpoint.js'
import { scopeOf } from '../core/choosing/selection/index.js'
import type { BestOfRun, RunSummary } from '../core/runs/index.js'
import { columnFor as checkpointColumn, isMetaColumn } from './checkpoints.js'
import { painter, type Paint } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { valuesOf } from './settings.js'
import { sortBy } from './sort-rows.js'
import { hiddenBy, lasting, laterLeaveFirst, renderTable, staying, type Column } from './table.js'
import { formatAge, formatNumber, formatSize, numberOrDash, plural } from './units.js'

export interface RunsView {
  /** Absolute: the folder that was searched. */
  readonly root: string
  /** Those shown, in order. */
  readonly rows: readonly RunSummary[]
  /** How many there would be without a limit. */
  readonly matching: number
  /** Names of columns; any other name is a key of the row's checkpoint. */
  readonly columns: readonly string[]
  /** The row's checkpoint is the best one; else the newest. */
  readonly isRanked: boolean
  /** The key that ranks: its column stays longest. */
  readonly judgedBy: string | null
  /** Columns that were asked for: they stay, however narrow the terminal. */
  readonly added: readonly string[]
  /** All columns stay, however wide. */
  readonly wide: boolean
  /** The columns are those that were named: all of them stay. */
  readonly isChosen: boolean
}

interface ColumnContext {
  readonly root: string
  readonly now: number
  readonly paint: Paint
  readonly isTerminal: boolean
  readonly isRanked: boolean
  /** What ranks where that is not a key, as it would be typed: the title of the values of `best`. */
  readonly rankedBy: string | null
}

/** The checkpoint that a row tells of. */
function checkpointOf({ best, latest }: RunSummary, isRanked: boolean): Checkpoint | null {
  return isRanked ? (best?.checkpoint ?? null) : latest
}

type Known = Record<string, (context: ColumnContext) => Column<RunSummary>>

/** Columns of a terminal for the metric's name and its value. */
const leastOfBest = 24

const knownColumns: Known = {
  run: (context) => ({ title: 'RUN', shortens: true, cell: ({ path }) => printable(nameOfRun(path, context)) }),
  path: () => ({ title: 'PATH', cell: ({ path }) => printable(path) }),
  'run-name': () => ({ title: 'NAME', cell: ({ name }) => (name === null ? '-' : printable(name)) }),
  layout: () => ({ title: 'LAYOUT', leaves: 3, cell: ({ layouts }) => layouts.join(',') }),
  checkpoints: () => ({ title: 'CHECKPOINTS', align: 'right', leaves: 1, cell: ({ count }) => String(count) }),
  latest: ({ now }) => ({ title: 'LATEST', align: 'right', cell: ({ latest }) => ageOf(latest, now) }),
  best: ({ paint, rankedBy }) => ({
    title: rankedBy === null ? 'BEST' : printable(rankedBy),
    ...(rankedBy === null ? { shortens: true, least: leastOfBest } : { align: 'right' as const }),
    cell: ({ best }) => (rankedBy === null ? describeBest(best) : numberOrDash(best?.value)),
    paint: ({ best }, text) => (best?.isImpossible === true ? paint('warning', text) : text),
  }),
  'best-checkpoint': () => ({
    title: 'BEST CHECKPOINT',
    leaves: 4,
    cell: ({ best }) => (best === null ? '-' : printable(best.checkpoint.name)),
  }),
  health: ({ paint }) => ({
    title: 'HEALTH',
    leaves: 2,
    cell: ({ grades }) => describeGrades(grades),
    paint: ({ grades }, text) => paint(colourOf(grades), text),
  }),
  size: () => ({ title: 'SIZE', align: 'right', cell: ({ size }) => formatSize(size) }),
}

/** True for a name that is not a column of a run: a key, or a column, of its checkpoint. */
function isOfCheckpoint(name: string): boolean {
  return !Object.hasOwn(knownColumns, name)
}

/** True for a name that must be asked of the checkpoints' meta. */
export function isKey(name: string): boolean {
  return isOfCheckpoint(name) && isMetaColumn(name)
}

function columnOf(name: string, context: ColumnContext): Column<RunSummary> {
  const known = isOfCheckpoint(name) ? undefined : knownColumns[name]
  if (known !== undefined) return known(context)
  const { title, align, leaves, cell } = checkpointColumn(name, { ...context, brief: true })
  return {
    title,
    ...(align === undefined ? {} : { align }),
    ...(leaves === undefined ? {} : { leaves }),
    cell: (summary) => {
      const checkpoint = checkpointOf(summary, context.isRanked)
      return checkpoint === null ? '-' : cell({ checkpoint, marks: [] })
    },
  }
}

const sortedAs: Readonly<Record<string, (summary: RunSummary, now: number) => unknown>> = {
  run: ({ path }) => path,
  path: ({ path }) => path,
  'run-name': ({ name }) => name,
  layout: ({ layouts }) => layouts.join(','),
  checkpoints: ({ count }) => count,
  latest: ({ latest }, now) => (latest === null ? null : scopeOf(latest, now).get('age')),
  best: ({ best }) => best?.value,
  'best-checkpoint': ({ best }) => best?.checkpoint.name,
  health: ({ grades }) => describeGrades(grades),
  size: ({ size }) => size,
}

/** By any column, or key of the row's checkpoint, `-` before it for descending; those without a value come last. */
export function sortRuns(
  rows: readonly RunSummary[],
  column: string,
  { isRanked, now }: Pick<ColumnContext, 'isRanked' | 'now'>,
): RunSummary[] {
  return sortBy(rows, column, (summary, name) => {
    if (!isOfCheckpoint(name)) return sortedAs[name]?.(summary, now)
    const checkpoint = checkpointOf(summary, isRanked)
    return checkpoint === null ? null : scopeOf(checkpoint, now).get(name)
  })
}

/** Relative to where the search began on a terminal; absolute for a script. */
export function nameOfRun(path: string, { root, isTerminal }: Pick<ColumnContext, 'root' | 'isTerminal'>): string {
  return isTerminal ? relative(root, path) || '.' : path
}

function ageOf(checkpoint: Checkpoint | null, now: number): string {
  const time = checkpoint === null ? null : timeOf(checkpoint)
  return time === null ? '-' : formatAge(now - time)
}

/** `WER=12.3`, without a space for scripts that split at spaces. */
export function describeBest(best: BestOfRun | null): string {
  if (best === null) return '-'
  const by = printable(best.by)
  return best.value === undefined ? by : `${by}=${formatNumber(best.value)}`
}

const sound: readonly Grade[] = ['unchecked', 'whole']

function isSoundGrade(grade: Grade): boolean {
  return sound.includes(grade)
}

/** `whole`, `unchecked`, `2 corrupt, 1 partial`. */
function describeGrades(grades: ReadonlyMap<Grade, number>): string {
  const bad = [...grades].filter(([grade]) => !isSoundGrade(grade))
  if (bad.length > 0) return bad.map(([grade, count]) => `${count} ${grade}`).join(', ')
  return grades.has('unchecked') ? 'unchecked' : 'whole'
}

function colourOf(grades: ReadonlyMap<Grade, number>): 'good' | 'bad' | 'warning' | 'faint' {
  const all = [...grades.keys()]
  if (all.every((grade) => grade === 'whole')) return 'good'
  if (all.every(isSoundGrade)) return 'faint'
  return all.every((grade) => isSoundGrade(grade) || grade === 'unreadable') ? 'warning' : 'bad'
}

export async function renderRuns(
  view: RunsView,
  { now, output }: { now: number; output: Output },
): Promise<Iterable<string>> {
  const paint = painter(output.colours)
  const { root, isRanked, rows, matching } = view
  const { isTerminal } = output
  const rankedBy = isRanked && view.judgedBy === null ? (rows[0]?.best?.by ?? null) : null
  const columns = laterLeaveFirst(
    view.columns.map((name) => {
      const column = columnOf(name, { root, now, paint, isTerminal, isRanked, rankedBy })
      if (view.isChosen) return lasting(column)
      return name === view.judgedBy || view.added.includes(name) ? staying(column) : column
    }),
  )
  const width = view.wide ? Number.POSITIVE_INFINITY : output.width
  const table = await renderTable(columns, rows, { isTerminal, width, paint })
  if (!isTerminal) return table
  const more = matching - rows.length
  const hidden = hiddenBy(columns, rows, width).columns
  const below = [
    ...(more > 0 ? [`… and ${plural(more, 'more run')}: --all shows them`] : []),
    ...(hidden > 0 ? [`${plural(hidden, 'column')} hidden: --all`] : []),
  ]
  return [...table, ...below.map((line) => paint('faint', line))]
}

/** One line on stderr where a person looks: what all of them come to. */
export function describeTotal(summaries: readonly RunSummary[]): string {
  const count = summaries.reduce((sum, one) => sum + one.count, 0)
  const size = summaries.reduce((sum, one) => sum + one.size, 0)
  return `${plural(summaries.length, 'run')}, ${plural(count, 'checkpoint')}, ${formatSize(size)}`
}

/** As `--json` gives it (docs/json.md). */
export function summaryDocument(summary: RunSummary): Record<string, unknown> {
  const { path, name, layouts, count, matching, latest, best, grades, size, settings } = summary
  return {
    run: path,
    runName: name,
    layout: layouts.length === 1 ? (layouts[0] ?? null) : null,
    layouts,
    checkpoints: count,
    matching,
    latest: latest === null ? null : momentDocument(latest),
    best:
      best === null
        ? null
        : {
            metric: best.by,
            direction: best.direction ?? null,
            value: best.value ?? null,
            ...momentDocument(best.checkpoint),
            meta: best.checkpoint.meta,
          },
    health: grades,
    size,
    hyperparameters: valuesOf(settings),
  }
}

/** The best of a run as it stands beside other facts in `--json` (docs/json.md). */
export function bestDocument({ by, value, checkpoint }: BestOfRun) {
  return { metric: by, value: value ?? null, name: checkpoint.name }
}

function momentDocument(checkpoint: Checkpoint) {
  const { name, path, step, epoch } = checkpoint
  return { name, path, time: timeOf(checkpoint), step, epoch }
}
