/** Watched runs as a screenful. */
import { relative } from 'node:path'
import { timeOf, type Checkpoint } from '../core/checkpoint.js'
import { bestPerMetric, impossibleMetrics, varyingKeys } from '../core/choosing/selection/index.js'
import { roomOf, usualPause, type JobState, type WatchedRun } from '../core/jobs/watch/index.js'
import { shortened } from './aligned.js'
import { columnFor, formatMeta, isMetaColumn, type Row } from './checkpoints.js'
import { painter, splitStyles, type Paint } from './colours.js'
import { fold } from './hanging-indent.js'
import { printable } from './printable.js'
import { bestByPath, marksOf } from './checkpoint-rows.js'
import { columnNames } from './run.js'
import { sparkline } from './sparkline.js'
import { hiddenBy, laterLeaveFirst, renderLines, staying, type Column } from './table.js'
import { formatAge, formatAgo, formatNumber, formatSize, numberOrDash, plural } from './units.js'
import { describeJob, describeSpace } from './watch-event.js'
import { displayWidth } from './text-width.js'

export interface ScreenView {
  /** Absolute: what is watched. */
  readonly root: string
  readonly runs: readonly WatchedRun[]
  /** By path, what came since the watch began. */
  readonly news: ReadonlySet<string>
  /** What happened, and what went wrong, the latest last. */
  readonly latest: readonly string[]
  /** Unix seconds, and the same as people read it. */
  readonly now: number
  readonly clock: string
  readonly columns: number
  readonly rows: number
  readonly colours: boolean
  readonly unicode: boolean
}

/** Lines of `latest` below the table, where there is room. */
const mostLatest = 5

export function renderScreen(view: ScreenView): string[] {
  const paint = painter(view.colours)
  const [only, ...others] = view.runs
  const facts = only !== undefined && others.length === 0 ? headOf(only, view, paint) : headOfAll(view, paint)
  const head = reflowed(facts, view.columns).slice(0, Math.max(1, view.rows - leastTable))
  const lines = reflowed(view.latest.slice(-mostLatest), view.columns)
  const latest = lines.slice(-Math.min(mostLatest, Math.max(0, view.rows - head.length - 6)))
  const below = latest.length === 0 ? [] : ['', ...latest]
  const room = Math.max(1, view.rows - head.length - below.length - 1)
  const table = only !== undefined && others.length === 0 ? tableOf(only, view, paint) : tableOfAll(view, paint)
  const notes = table.columnsHidden === 0 ? [] : reflowed([hiddenColumns(table.columnsHidden, paint)], view.columns)
  return [...head, '', ...cutToRoom(table.lines, Math.max(1, room - notes.length), paint), ...notes, ...below]
}

/** Lines that the head leaves to the table. */
const leastTable = 5

interface ScreenTable {
  readonly lines: readonly string[]
  /** For want of room. */
  readonly columnsHidden: number
}

function cutToRoom(lines: readonly string[], room: number, paint: Paint): readonly string[] {
  return lines.length <= room ? lines : [...lines.slice(0, room - 1), hidden(lines.length - room + 1, paint)]
}

function hiddenColumns(count: number, paint: Paint): string {
  return paint('faint', `${plural(count, 'column')} hidden: a wider terminal has them`)
}

/** What is wider than the terminal goes on below, under its own beginning where there is room for that. */
function reflowed(lines: readonly string[], columns: number): string[] {
  const below = ' '.repeat(columns < roomy ? 2 : indent)
  return lines.flatMap((line) => {
    if (styledWidth(line) <= columns) return [line]
    const [first = '', ...rest] = fold(line, columns - below.length, styledWidth)
    return [first, ...rest.map((one) => below + one)]
  })
}

function styledWidth(text: string): number {
  const texts = splitStyles(text).filter((_, index) => index % 2 === 0)
  return displayWidth(texts.join(''))
}

function hidden(count: number, paint: Paint): string {
  return paint('faint', `… and ${count} more`)
}

function headOf(run: WatchedRun, view: ScreenView, paint: Paint): string[] {
  const { ordered, path, job, free } = run
  const { now } = view
  const [newest] = ordered
  const time = newest === undefined ? null : timeOf(newest)
  const pause = usualPause(ordered)
  const usually = pause === null || pause < 1 ? '' : `; usually one every ${formatAge(pause)}`
  const when = time === null ? '' : `, ${formatAgo(now - time)}`
  const newestText =
    newest === undefined
      ? 'none yet'
      : fitted(printable(newest.name), `${when}${usually}`, view.columns - indent) + when
  return [
    headline(path, plural(ordered.length, 'checkpoint'), view, paint),
    `${paint('faint', 'newest')}  ${newestText}${usually}`,
    ...(run.metric === null ? [] : [`${paint('faint', 'best')}    ${bestText(run, view, paint)}`]),
    ...(job === null ? [] : [`${paint('faint', 'job')}     ${paintJob(job, describeJob(job, now), paint)}`]),
    ...(free === null ? [] : [`${paint('faint', 'disk')}    ${describeSpace(free, roomOf(free, ordered))}`]),
  ]
}

function bestText({ metric, best, since, values }: WatchedRun, view: ScreenView, paint: Paint): string {
  if (best === null || metric === null) return `no ${printable(metric ?? '')} yet`
  const when = best.saved === null ? '' : `, ${formatAgo(view.now - best.saved)}`
  const stall = since === 0 ? '' : `; no better in ${plural(since, 'checkpoint')} since`
  const value = formatNumber(best.value)
  const others = `${printable(metric)} ${value} (${when})${stall}`
  const name = fitted(printable(best.name), others, view.columns - indent)
  const record = `${printable(metric)} ${paint('good', value)} (${name}${when})${stall}`
  const room = view.columns - indent - displayWidth(others) - displayWidth(name) - gap
  const line = values.length < 3 || room < leastCurve ? '' : `  ${sparkline(values, Math.min(24, room), view.unicode)}`
  return record + paint('accent', line)
}

/** Columns of the labels (`newest  `) before the text. */
const indent = 8
const gap = 2
const leastCurve = 6

/**
 * A name in the room that `others` leave of that many columns; its beginning and its end at least, and where a line will
 * go on below anyway, as much as a line holds.
 */
function fitted(name: string, others: string, columns: number): string {
  const least = columns < roomy - indent ? Math.min(wholeName, columns) : leastName
  return shortened(name, Math.max(least, columns - displayWidth(others)))
}

const leastName = 9
const wholeName = 28
/** Columns of a terminal that is wide enough for one line a message. */
const roomy = 60

/** What is watched, how many there are of it, and what time it is, which is last to go. */
function headline(path: string, counts: string, { columns, clock }: ScreenView, paint: Paint): string {
  const name = fitted(printable(path), `: ${counts}  ${clock}`, columns)
  return `${paint('title', name)}: ${counts}  ${paint('faint', clock)}`
}

function paintJob({ state, ending }: JobState, text: string, paint: Paint): string {
  if (state === 'running') return paint('good', text)
  return state === 'unseen' || (state === 'ended' && ending !== 'done') ? paint('bad', text) : text
}

function tableOf(run: WatchedRun, view: ScreenView, paint: Paint): ScreenTable {
  const { ordered, selected, metric } = run
  if (selected.length === 0) {
    const why = ordered.length === 0 ? 'no checkpoint' : 'none of them matches'
    return { lines: [paint('faint', why)], columnsHidden: 0 }
  }
  const shown = selected.slice(0, view.rows)
  const best = bestPerMetric(ordered, view.now)
  const marks = marksOf(ordered, best, impossibleMetrics(ordered))
  const leader = ordered.find(({ name }) => name === run.best?.name)
  const bestBy = bestByPath(metric === null || leader === undefined ? best : new Map([...best, [metric, leader]]))
  const rows = shown.map((checkpoint): Row => {
    const isNew = view.news.has(checkpoint.path)
    return {
      checkpoint,
      bestBy: bestBy.get(checkpoint.path),
      marks: [...(isNew ? ['new'] : []), ...(marks.get(checkpoint.path) ?? [])],
    }
  })
  const varying = varyingKeys(ordered)
  const isKey = metric !== null && ordered.some(({ meta }) => meta.has(metric)) && isMetaColumn(metric)
  const keys = isKey ? [metric, ...varying.filter((key) => key !== metric)] : varying
  const names = columnNames(shown, keys)
  const columns = laterLeaveFirst(
    names.map((name) => {
      const column = columnFor(name, { now: view.now, paint, brief: true })
      return name === metric && isMetaColumn(name) ? staying(column) : column
    }),
  )
  const lines = renderLines(columns, rows, { width: view.columns, paint })
  const left = selected.length - shown.length
  const { columns: columnsHidden } = hiddenBy(columns, rows, view.columns)
  return { lines: left === 0 ? lines : [...lines, ...new Array<string>(left).fill('')], columnsHidden }
}

function headOfAll(view: ScreenView, paint: Paint): string[] {
  const { root, runs, now } = view
  if (runs.length === 0) {
    return [headline(root, 'no run there', view, paint), paint('faint', 'waiting for a checkpoint')]
  }
  const count = runs.reduce((sum, { ordered }) => sum + ordered.length, 0)
  const running = runs.filter(({ job }) => job?.state === 'running').length
  const free = runs.flatMap((run) => run.free ?? [])
  const times = runs.flatMap(({ ordered: [newest] }) => (newest === undefined ? [] : (timeOf(newest) ?? [])))
  return [
    headline(
      root,
      `${plural(runs.length, 'run')}, ${plural(count, 'checkpoint')}, ${plural(running, 'job')} running`,
      view,
      paint,
    ),
    `${paint('faint', 'newest')}  ${times.length === 0 ? '-' : formatAgo(now - Math.max(...times))}`,
    ...(free.length === 0 ? [] : [`${paint('faint', 'disk')}    ${formatSize(Math.min(...free))} left`]),
  ]
}

/** The run with the newest checkpoint comes first. */
function tableOfAll(view: ScreenView, paint: Paint): ScreenTable {
  const { runs, columns: width } = view
  if (runs.length === 0) return { lines: [], columnsHidden: 0 }
  const sorted = [...runs].sort((a, b) => (timeOfRun(b) ?? -Infinity) - (timeOfRun(a) ?? -Infinity) || 0)
  const all = columnsOfAll(view, paint)
  return {
    lines: renderLines(all, sorted, { width, paint }),
    columnsHidden: hiddenBy(all, sorted, width).columns,
  }
}

const newestOf = ({ ordered: [newest] }: WatchedRun): Checkpoint | undefined => newest

/** Unix seconds of its newest checkpoint; null where none is known. */
function timeOfRun(run: WatchedRun): number | null {
  const newest = newestOf(run)
  return newest === undefined ? null : timeOf(newest)
}

function columnsOfAll({ root, now, unicode }: ScreenView, paint: Paint): Column<WatchedRun>[] {
  return [
    { title: 'RUN', shortens: true, cell: ({ path }) => printable(relative(root, path) || '.') },
    { title: 'CKPTS', align: 'right', leaves: 3, cell: ({ ordered }) => String(ordered.length) },
    {
      title: 'NEWEST',
      align: 'right',
      leaves: 0.4,
      cell: (run) => {
        const time = timeOfRun(run)
        return time === null ? '-' : formatAge(now - time)
      },
    },
    { title: 'EPOCH', align: 'right', leaves: 2, cell: (run) => numberOrDash(newestOf(run)?.epoch) },
    { title: 'STEP', align: 'right', leaves: 4, cell: (run) => numberOrDash(newestOf(run)?.step) },
    { title: 'METRIC', leaves: 1, cell: ({ metric }) => printable(metric ?? '-') },
    {
      title: 'LAST',
      align: 'right',
      leaves: 0.6,
      cell: (run) => (run.metric === null ? '-' : formatMeta(newestOf(run)?.meta.get(run.metric))),
    },
    {
      title: 'BEST',
      align: 'right',
      leaves: 0,
      cell: ({ best }) => numberOrDash(best?.value),
      paint: (_, text) => paint('good', text),
    },
    { title: 'SINCE', align: 'right', leaves: 0.8, cell: ({ best, since }) => (best === null ? '-' : String(since)) },
    { title: '', leaves: 5, cell: ({ values }) => (values.length < 3 ? '' : sparkline(values, 16, unicode)) },
    {
      title: 'JOB',
      leaves: 0.2,
      cell: ({ job }) => (job === null ? '-' : job.state === 'ended' ? printable(job.ending ?? 'ended') : job.state),
      paint: ({ job }, text) => (job === null ? text : paintJob(job, text, paint)),
    },
  ]
}
