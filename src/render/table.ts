/** Rows in columns: a table where a person looks at a screenful, plain aligned text in a pipe and beyond. */
import { ownStyles, type Paint } from './colours.js'
import { shortenNames } from './shorten.js'
import { shown } from './escape-output.js'
import { cutText, displayWidth } from './text-width.js'

export interface Column<Row> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Printable text. */
  readonly cell: (row: Row) => string
  readonly paint?: (row: Row, text: string) => string
  /**
   * May leave a narrow terminal: the highest first. 0 and less: the lowest first, and from the right, once names and
   * texts are as short as they can be. Left out: it stays.
   */
  readonly leaves?: number
  /** Wraps in the room that the others leave. At most one. */
  readonly wraps?: boolean
  /** Of one that wraps or is shortened: columns of a terminal that it gets in any case, where it needs them. */
  readonly least?: number
  /** Names, which are shortened in the middle to the room that the others leave. */
  readonly shortens?: boolean
  /** Text that is cut at its end to the room that the others leave. */
  readonly cuts?: boolean
  /** In place of a cut: a text for each row, in that many columns of a terminal. */
  readonly abridges?: (rows: readonly Row[], width: number) => readonly string[]
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
  const fitting = fitted(columns, rows, options.width)
  if (rows.length > tableRows || !fitting.some(({ column }) => column.wraps)) {
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
  const fitting = fitted(columns, rows, width).map(({ column }) => column)
  return [...alignedLines(fitting, rows, paint)]
}

/** Spaces between columns. */
const gap = 2
/** Columns of a terminal that what wraps or is shortened gets where nothing else is said. */
const usualLeast = 20
/** The same where not even that is there, and of a title above narrower values. */
const narrowestText = 8
const narrowestTitle = 4
/** Columns of a title where the table does not fit as it is. */
const longestTitle = 24

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

/** What a table of this width does not show. */
export interface Hidden {
  /** Columns that were left out. */
  readonly columns: number
  /** Titles of columns that have texts which were cut. */
  readonly cut: readonly string[]
}

export function hiddenBy<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): Hidden {
  const kept = fit(columns, rows, width)
  const isCut = ({ column, width: room }: Fitted<Row>) => column.cuts === true && widthOf(column, rows) > room
  return { columns: columns.length - kept.length, cut: kept.filter(isCut).map(({ column }) => column.title) }
}

/** Leaves out what may leave until the rest fits; what wraps, shortens or is cut takes the room that is left. */
export function fit<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): readonly Fitted<Row>[] {
  const whole = columns.map((column) => ({ column, width: widthOf(column, rows) }))
  const isWhole = sumOf(whole, (one) => one.width) <= width
  const telling = whole.filter(({ column }) => !((column.leaves ?? 0) > 0 && isSilent(column, rows)))
  const all = isWhole ? whole : withShorterTitles(telling, rows)
  const leaving = all.filter(({ column }) => (column.leaves ?? 0) > 0)
  leaving.sort((a, b) => (b.column.leaves ?? 0) - (a.column.leaves ?? 0))
  const kept = leaveOut(all, leaving, width, leastOf)
  if (sumOf(kept, leastOf) <= width) return widened(kept, width, leastOf)
  const narrow = kept.map((one) => withNarrowTitle(one, rows))
  const last = narrow.filter(({ column }) => column.leaves !== undefined).reverse()
  last.sort((a, b) => (a.column.leaves ?? 0) - (b.column.leaves ?? 0))
  return widened(leaveOut(narrow, last, width, narrowestOf), width, narrowestOf)
}

/** Nothing in any row: it costs the others room. */
function isSilent<Row>({ cell }: Column<Row>, rows: readonly Row[]): boolean {
  return rows.every((row) => ['', '-'].includes(cell(row)))
}

type WidthOf = <Row>(one: Fitted<Row>) => number

function yields<Row>({ wraps, shortens, cuts }: Column<Row>): boolean {
  return wraps === true || shortens === true || cuts === true
}

function leastOf<Row>({ column, width }: Fitted<Row>): number {
  return yields(column) ? Math.min(width, column.least ?? usualLeast) : width
}

/** On a terminal that is narrower than what is left. */
function narrowestOf<Row>({ column, width }: Fitted<Row>): number {
  return yields(column) ? Math.min(width, column.least ?? usualLeast, narrowestText) : width
}

/** Long titles, of metrics mostly, shortened in the middle: names of runs say more than the rest of these. */
function withShorterTitles<Row>(all: readonly Fitted<Row>[], rows: readonly Row[]): readonly Fitted<Row>[] {
  const titles = shortenNames(
    all.map(({ column }) => column.title),
    longestTitle,
  )
  return all.map(({ column, width }, index) => {
    const title = titles[index] ?? column.title
    return title === column.title
      ? { column, width }
      : { column: { ...column, title }, width: widthOf({ ...column, title }, rows) }
  })
}

/** The title no wider than what stands below it. */
function withNarrowTitle<Row>({ column, width }: Fitted<Row>, rows: readonly Row[]): Fitted<Row> {
  if (yields(column)) return { column, width }
  const room = Math.max(narrowestTitle, widthOf({ ...column, title: '' }, rows))
  return room >= width ? { column, width } : { column: { ...column, title: cutText(column.title, room) }, width: room }
}

function sumOf<Row>(all: readonly Fitted<Row>[], least: WidthOf): number {
  return all.reduce((sum, one) => sum + least(one) + gap, -gap)
}

/** Those of `leaving` gone, in their order, until the least of the rest fits; those that still fit then stay. */
function leaveOut<Row>(
  all: readonly Fitted<Row>[],
  leaving: readonly Fitted<Row>[],
  width: number,
  least: WidthOf,
): readonly Fitted<Row>[] {
  let total = sumOf(all, least)
  const left = new Set<Fitted<Row>>()
  for (const one of leaving) {
    if (total <= width) break
    left.add(one)
    total -= least(one) + gap
  }
  for (const one of [...left].reverse()) {
    if (total + least(one) + gap > width) continue
    left.delete(one)
    total += least(one) + gap
  }
  return all.filter((one) => !left.has(one))
}

function widened<Row>(kept: readonly Fitted<Row>[], width: number, least: WidthOf): readonly Fitted<Row>[] {
  const widths = shareOut(Math.max(0, width - sumOf(kept, least)), kept, least)
  const given = (one: Fitted<Row>) => widths.get(one) ?? one.width
  // One alone may still be too wide.
  return kept.map((one) => ({
    column: one.column,
    width: yields(one.column) ? Math.min(given(one), width) : given(one),
  }))
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

/** The columns that fit, names and texts in the room that there is for them. */
function fitted<Row>(columns: readonly Column<Row>[], rows: readonly Row[], room: number): readonly Fitted<Row>[] {
  return fit(columns, rows, room).map(({ column, width }) => {
    if (widthOf(column, rows) <= width) return { column, width }
    const texts = narrowed(column, rows, width)
    if (texts === null) return { column, width }
    const short = new Map(rows.map((row, index) => [row, texts[index] ?? '']))
    return { column: { ...column, cell: (row: Row) => short.get(row) ?? column.cell(row) }, width }
  })
}

/** The texts of the rows in less room than they take; null where they are left as they are. */
function narrowed<Row>(column: Column<Row>, rows: readonly Row[], width: number): readonly string[] | null {
  if (column.abridges !== undefined) return column.abridges(rows, width)
  const texts = rows.map(column.cell)
  if (column.cuts === true) return texts.map((text) => cutText(text, width))
  return column.shortens === true ? shortenNames(texts, width) : null
}

/** The column on a narrow terminal too, as long as there is any room. */
export function staying<Row>(column: Column<Row>): Column<Row> {
  return { ...column, leaves: 0 }
}

/** The column as it was asked for, whatever room there is: names alone are shortened. */
export function lasting<Row>({
  title,
  align = 'left',
  cell,
  paint,
  shortens = false,
  least,
}: Column<Row>): Column<Row> {
  return {
    ...{ title, align, cell, shortens },
    ...(paint === undefined ? {} : { paint }),
    ...(least === undefined ? {} : { least }),
  }
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
