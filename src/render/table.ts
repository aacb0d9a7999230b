/** Rows in columns: a table where a person looks at a screenful, plain aligned text in a pipe and beyond. */
import { ownStyles, type Paint } from './colours.js'
import { shortenNames } from './shorten.js'
import { shown } from './escape-output.js'
import { displayWidth } from './text-width.js'

export interface Column<Row> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Printable text. */
  readonly cell: (row: Row) => string
  readonly paint?: (row: Row, text: string) => string
  /** May leave a narrow terminal: the highest first. */
  readonly leaves?: number
  /** Wraps in the room that the others leave. At most one. */
  readonly wraps?: boolean
  /** Of one that wraps or is shortened: columns of a terminal that it gets in any case, where it needs them. */
  readonly least?: number
  /** Names, which are shortened in the middle to the room that the others leave. */
  readonly shortens?: boolean
}

/** Longer lists are drawn without cli-table3: cli-table3 takes 0.2 s for 1,000 and 6 s for 10,000. */
const tableRows = 200

export interface TableOptions {
  readonly isTerminal: boolean
  /** Columns of the terminal. */
  readonly width: number
  readonly paint: Paint
}

export async function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions,
): Promise<Iterable<string>> {
  if (!options.isTerminal) return alignedLines(columns, rows, options.paint)
  const fitting = shortened(fit(columns, rows, options.width), rows)
  if (rows.length > tableRows) {
    return alignedLines(
      fitting.map(({ column }) => column),
      rows,
      options.paint,
    )
  }
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: fitting.map(({ column }) => shown(options.paint('title', column.title))),
    colAligns: fitting.map(({ column }) => column.align ?? 'left'),
    colWidths: fitting.map(({ width }) => width + gap),
    wordWrap: true,
    chars: plainBorders,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': gap },
  })
  for (const row of rows) table.push(fitting.map(({ column }) => shown(paintCell(column, row))))
  // The library ends and begins styles anew where it breaks a cell.
  return ownStyles(table.toString())
    .split('\n')
    .map((line) => line.trimEnd())
}

/** The same one line a row, for a screen of that many columns. */
export function renderLines<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, paint }: Pick<TableOptions, 'width' | 'paint'>,
): string[] {
  const fitting = shortened(fit(columns, rows, width), rows).map(({ column }) => column)
  return [...alignedLines(fitting, rows, paint)]
}

/** Spaces between columns. */
const gap = 2
/** Columns of a terminal that what wraps or is shortened gets where nothing else is said. */
const usualLeast = 20

const plainBorders = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((name) => [name, '']),
)

function paintCell<Row>(column: Column<Row>, row: Row): string {
  const text = column.cell(row)
  return column.paint?.(row, text) ?? text
}

export interface Fitted<Row> {
  readonly column: Column<Row>
  readonly width: number
}

/** How many columns `renderTable` leaves out on a terminal of this width. */
export function columnsLeftOut<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): number {
  return rows.length > tableRows ? 0 : columns.length - fit(columns, rows, width).length
}

/** Leaves out what may leave until the rest fits; the wrapping column takes the room that is left. */
export function fit<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): readonly Fitted<Row>[] {
  const all = columns.map((column) => ({ column, width: widthOf(column, rows) }))
  const least = ({ column: { wraps, shortens, least: own = usualLeast }, width }: Fitted<Row>) =>
    wraps === true || shortens === true ? Math.min(width, own) : width
  let total = all.reduce((sum, one) => sum + least(one) + gap, -gap)
  const leaving = all.filter(({ column }) => (column.leaves ?? 0) > 0)
  leaving.sort((a, b) => (b.column.leaves ?? 0) - (a.column.leaves ?? 0))
  const left = new Set<Fitted<Row>>()
  for (const one of leaving) {
    if (total <= width) break
    left.add(one)
    total -= least(one) + gap
  }
  const kept = all.filter((one) => !left.has(one))
  const widths = shareOut(Math.max(0, width - total), kept, least)
  return kept.map((one) => ({ column: one.column, width: widths.get(one) ?? one.width }))
}

/** The room that is left to those that lack some; who lacks least is served first. */
function shareOut<Row>(
  room: number,
  kept: readonly Fitted<Row>[],
  least: (one: Fitted<Row>) => number,
): ReadonlyMap<Fitted<Row>, number> {
  const lacking = kept.map((one) => ({ one, has: least(one), lacks: one.width - least(one) }))
  lacking.sort((a, b) => a.lacks - b.lacks)
  let left = room
  return new Map(
    lacking.map(({ one, has, lacks }) => {
      const given = Math.min(lacks, left)
      left -= given
      return [one, has + given]
    }),
  )
}

/** The names in the room that there is for them. */
function shortened<Row>(fitted: readonly Fitted<Row>[], rows: readonly Row[]): readonly Fitted<Row>[] {
  return fitted.map(({ column, width }) => {
    if (column.shortens !== true || widthOf(column, rows) <= width) return { column, width }
    const texts = shortenNames(rows.map(column.cell), width)
    const short = new Map(rows.map((row, index) => [row, texts[index] ?? '']))
    return { column: { ...column, cell: (row: Row) => short.get(row) ?? column.cell(row) }, width }
  })
}

/** The column on a narrow terminal too. */
export function staying<Row>(column: Column<Row>): Column<Row> {
  return { ...column, leaves: 0 }
}

/** Of the metrics; the first of them stays longest, longer than the step. */
export function laterLeaveFirst<Row>(columns: readonly Column<Row>[]): Column<Row>[] {
  let metrics = 0
  return columns.map((column) => (column.leaves === 1 ? { ...column, leaves: 1 + metrics++ } : column))
}

function widthOf<Row>(column: Column<Row>, rows: readonly Row[]): number {
  return rows.reduce((widest, row) => Math.max(widest, displayWidth(column.cell(row))), displayWidth(column.title))
}

/** Two spaces between columns, one line a row: made for `awk` and `less`. */
function* alignedLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], paint: Paint): Generator<string> {
  const widths = columns.map((column) => widthOf(column, rows))
  const line = (cellOf: (column: Column<Row>) => string, paintCell: (column: Column<Row>, text: string) => string) => {
    const cells = columns.map((column, index) => {
      const text = cellOf(column)
      const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(text)))
      const painted = paintCell(column, text)
      return column.align === 'right' ? space + painted : painted + space
    })
    return cells.join('  ').trimEnd()
  }
  yield line(
    (column) => column.title,
    (_, text) => paint('title', text),
  )
  for (const row of rows) {
    yield line(
      (column) => column.cell(row),
      (column, text) => column.paint?.(row, text) ?? text,
    )
  }
}
