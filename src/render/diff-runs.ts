/** What differs between two runs, as people see it and for --json. */
import { isDeepStrictEqual } from 'node:util'
import type { Checkpoint } from '../core/checkpoint.js'
import type { ComparedRun, DifferentSetting, RunComparison } from '../core/runs/index.js'
import { formatMeta } from './checkpoints.js'
import { painter } from './colours.js'
import type { Output } from './output.js'
import { printable } from './printable.js'
import { bestDocument, describeBest } from './runs.js'
import { renderTable, type Column } from './table.js'
import { cutText, displayWidth } from './text-width.js'
import { allDigits, formatNumber, formatSize, numberOrDash, plural } from './units.js'

/** Rows of a table on a terminal. */
const mostRows = 20
/** Of the hyper-parameters that only one run has, those that are named there. */
const mostNamed = 5

/** One fact of both. */
interface Facing {
  readonly name: string
  readonly a: string
  readonly b: string
}

export function runsDiffer({ a, b, settings, metrics }: RunComparison): boolean {
  const states = [a, b].map(({ checkpoints }) => checkpoints.map(momentOf))
  return (
    settings.length > 0 ||
    a.code?.commit !== b.code?.commit ||
    !isDeepStrictEqual(states[0], states[1]) ||
    metrics.some(({ points }) => points.some((point) => point.a !== point.b))
  )
}

function momentOf({ step, epoch, meta }: Checkpoint): unknown {
  return { step, epoch, meta: [...meta].filter(([key]) => key !== 'unixtime') }
}

/** `all`: every row, also on a terminal. */
export async function renderRunDiff(
  comparison: RunComparison,
  { output, all }: { readonly output: Output; readonly all: boolean },
): Promise<string[]> {
  const { a, b, settings, alike } = comparison
  const paint = painter(output.colours)
  const table = async (title: string, rows: readonly Facing[]) =>
    rows.length === 0 ? [] : ['', paint('title', title), ...(await renderFacing(rows, output))]
  const isFolded = output.isTerminal && !all && settings.length > mostRows
  const { rows, below } = isFolded ? foldSettings(settings, output.width) : { rows: settings, below: [] }
  const settingRows = rows.map(({ name, a: one, b: other }) => ({
    name: printable(name),
    a: formatMeta(one, allDigits),
    b: formatMeta(other, allDigits),
  }))
  const settingTable = settingRows.length === 0 ? [] : await renderFacing(settingRows, output)
  const differing =
    settings.length === 0
      ? describeAlike(alike)
      : `${settings.length} ${settings.length === 1 ? 'differs' : 'differ'}, ${alike} alike`
  return [
    `A ${printable(a.path)}`,
    `B ${printable(b.path)}`,
    '',
    paint('title', `Hyper-parameters: ${differing}`),
    ...settingTable,
    ...below.map((line) => paint('faint', line)),
    ...(await table('Runs', factsOf(a, b))),
    ...(await renderMetrics(comparison, output, all)),
  ]
}

/** Of many hyper-parameters those that both have; what is left out is said in lines below. */
function foldSettings(
  settings: readonly DifferentSetting[],
  width: number,
): { rows: DifferentSetting[]; below: string[] } {
  const both = settings.filter(({ a, b }) => a !== undefined && b !== undefined)
  const more = both.length - mostRows
  const below = [
    ...(more > 0 ? [`… and ${plural(more, 'more row')}`] : []),
    ...onlyIn(
      'A',
      settings.filter(({ b }) => b === undefined),
      width,
    ),
    ...onlyIn(
      'B',
      settings.filter(({ a }) => a === undefined),
      width,
    ),
    'all of them: --all',
  ]
  return { rows: both.slice(0, mostRows), below }
}

/** A line with as many names as there is room for. */
function onlyIn(run: 'A' | 'B', settings: readonly DifferentSetting[], width: number): string[] {
  if (settings.length === 0) return []
  const names = settings.slice(0, mostNamed).map(({ name }) => printable(name))
  const lineWith = (count: number) =>
    `${settings.length} only in ${run}: ${names.slice(0, count).join(', ')}${settings.length > count ? ', …' : ''}`
  const counts = names.map((_, index) => names.length - index)
  return [cutText(lineWith(counts.find((count) => displayWidth(lineWith(count)) <= width) ?? 1), width)]
}

function describeAlike(alike: number): string {
  return alike === 0 ? 'none found' : `${alike}, all alike`
}

function factsOf(a: ComparedRun, b: ComparedRun): Facing[] {
  const fact = (name: string, tell: (run: ComparedRun) => string): Facing => ({ name, a: tell(a), b: tell(b) })
  const newest = ({ checkpoints }: ComparedRun) => checkpoints[0]
  const facts = [
    fact('checkpoints', ({ checkpoints }) => String(checkpoints.length)),
    fact('layout', ({ checkpoints }) => [...new Set(checkpoints.map(({ layout }) => layout))].join(',')),
    fact('newest', (run) => printable(newest(run)?.name ?? '-')),
    fact('newest epoch', (run) => numberOrDash(newest(run)?.epoch)),
    fact('newest step', (run) => numberOrDash(newest(run)?.step)),
    fact('best', ({ best }) => describeBest(best)),
    fact('best checkpoint', ({ best }) => (best === null ? '-' : printable(best.checkpoint.name))),
    fact('size', ({ size }) => formatSize(size)),
    fact('git commit', ({ code }) => (code === null ? '-' : printable(code.commit))),
  ]
  return facts.filter((one) => one.a !== '-' || one.b !== '-')
}

async function renderFacing(rows: readonly Facing[], output: Output): Promise<string[]> {
  const columns: Column<Facing>[] = [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'A', cell: ({ a }) => a },
    { title: 'B', wraps: true, cell: ({ b }) => b },
  ]
  const { isTerminal, width, colours } = output
  return [...(await renderTable(columns, rows, { isTerminal, width, paint: painter(colours) }))]
}

interface MetricRow {
  readonly x: number
  /** By key, of A and of B. */
  readonly values: ReadonlyMap<string, readonly [number, number]>
}

async function renderMetrics({ axis, metrics }: RunComparison, output: Output, all: boolean): Promise<string[]> {
  const shared = metrics.filter(({ points }) => points.length > 0)
  const rows = rowsOf(shared)
  const paint = painter(output.colours)
  if (rows.length === 0) return ['', paint('title', `Metrics: none that both have at the same ${axis}`)]
  const { isTerminal, width } = output
  const shown = isTerminal && !all ? thinned(rows, mostRows) : rows
  const columns: Column<MetricRow>[] = [
    { title: axis.toUpperCase(), align: 'right', cell: ({ x }) => formatNumber(x) },
    ...shared.flatMap(({ key }, index) => [metricColumn(key, 'A', index), metricColumn(key, 'B', index)]),
  ]
  const table = await renderTable(columns, shown, { isTerminal, width: all ? Number.POSITIVE_INFINITY : width, paint })
  const more = rows.length - shown.length
  return [
    '',
    paint('title', `Metrics at equal ${axis}: ${plural(rows.length, 'row')}`),
    ...table,
    ...(more > 0 ? [paint('faint', `… and ${plural(more, 'more row')} between them: --all`)] : []),
  ]
}

/** The columns of the later metrics leave a narrow terminal first, both of one together. */
function metricColumn(key: string, run: 'A' | 'B', index: number): Column<MetricRow> {
  return {
    title: `${printable(key)} ${run}`,
    align: 'right',
    leaves: index,
    cell: ({ values }) => {
      const pair = values.get(key)
      return pair === undefined ? '-' : formatNumber(pair[run === 'A' ? 0 : 1])
    },
  }
}

function rowsOf(metrics: RunComparison['metrics']): MetricRow[] {
  const rows = new Map<number, Map<string, readonly [number, number]>>()
  for (const { key, points } of metrics) {
    for (const { x, a, b } of points) {
      const row = rows.get(x) ?? new Map<string, readonly [number, number]>()
      rows.set(x, row.set(key, [a, b]))
    }
  }
  return [...rows].sort(([one], [other]) => one - other).map(([x, values]) => ({ x, values }))
}

/** The first, the last, and the others evenly. */
function thinned<T>(rows: readonly T[], most: number): T[] {
  if (rows.length <= most) return [...rows]
  return Array.from({ length: most }, (_, index) => rows[Math.round((index * (rows.length - 1)) / (most - 1))]).flatMap(
    (row) => (row === undefined ? [] : [row]),
  )
}

/** As `--json` gives it (docs/json.md). */
export function runDiffDocument(comparison: RunComparison): Record<string, unknown> {
  const { a, b, settings, alike, axis, metrics } = comparison
  return {
    a: runDocument(a),
    b: runDocument(b),
    differ: runsDiffer(comparison),
    hyperparameters: {
      alike,
      differ: settings.map(({ name, a: one, b: other }) => ({ name, a: one ?? null, b: other ?? null })),
    },
    axis,
    metrics: metrics.map(({ key, points }) => ({ key, points })),
  }
}

function runDocument({ path, checkpoints, size, best, code }: ComparedRun): Record<string, unknown> {
  return {
    run: path,
    checkpoints: checkpoints.map(({ name, step, epoch, layout }) => ({ name, step, epoch, layout })),
    size,
    best: best === null ? null : bestDocument(best),
    commit: code === null ? null : { commit: code.commit, source: code.source },
  }
}
