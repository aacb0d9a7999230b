/** Rows in columns: a table where a person looks at a screenful, plain aligned text in a pipe and beyond. */
import type { Paint } from './colours.js'
import { displayWidth } from './width.js'

export interface Column<Row> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Printable text. */
  readonly cell: (row: Row) => string
  readonly paint?: (row: Row, text: string) => string
}

/** Rows beyond this are no table: cli-table3 takes 0.2 s for 1,000 and 6 s for 10,000. */
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
  if (!options.isTerminal || rows.length > tableRows) return alignedLines(columns, rows)
  const fitting = fit(columns, rows, options.width)
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: fitting.map((column) => options.paint('title', column.title)),
    colAligns: fitting.map((column) => column.align ?? 'left'),
    chars: plainBorders,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  })
  for (const row of rows) {
    table.push(fitting.map((column) => paintCell(column, row)))
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
}

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

/** Leaves out columns from the last but one backwards until the rest fits; the first and the last always stay. */
function fit<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number): readonly Column<Row>[] {
  const widths = new Map(columns.map((column) => [column, widthOf(column, rows)]))
  const kept = [...columns]
  const total = () => kept.reduce((sum, column) => sum + (widths.get(column) ?? 0) + 2, 0)
  while (kept.length > 2 && total() > width) kept.splice(kept.length - 2, 1)
  return kept
}

function widthOf<Row>(column: Column<Row>, rows: readonly Row[]): number {
  return rows.reduce((widest, row) => Math.max(widest, displayWidth(column.cell(row))), displayWidth(column.title))
}

/** Two spaces between columns, no colours: made for `awk` and `less`. */
function* alignedLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Generator<string> {
  const widths = columns.map((column) => widthOf(column, rows))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => pad(cell, widths[index] ?? 0, columns[index]?.align ?? 'left'))
      .join('  ')
      .trimEnd()
  yield line(columns.map((column) => column.title))
  for (const row of rows) yield line(columns.map((column) => column.cell(row)))
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + space : space + text
}
