/** Text in columns without a head. */
import { displayWidth } from './text-width.js'

export interface AlignedOptions {
  /** Columns of the terminal that there are; no bound in a pipe. */
  readonly width?: number
  /** The column whose cells may be long: where one does not fit beside the others, these go on a line below it. */
  readonly long?: number
}

const gap = '  '
/** Columns that what stands below a long cell is indented by at least. */
const leastIndent = 4

/** Cells in columns, two spaces apart. A cell that is longer than a whole line is shortened in its middle. */
export function aligned(rows: readonly (readonly string[])[], options: AlignedOptions = {}): string[] {
  return alignedRows(rows, options).flat()
}

/** The same, the lines of each row by themselves. */
export function alignedRows(rows: readonly (readonly string[])[], options: AlignedOptions = {}): string[][] {
  const { width = Infinity, long = 0 } = options
  const widths = columnWidths(rows, width, long)
  const before = widths.slice(0, long).reduce((sum, one) => sum + one + gap.length, 0)
  return rows.map((row) => {
    const cell = row[long] ?? ''
    if (displayWidth(cell) <= (widths[long] ?? 0)) return [joined(row, widths)]
    const head = [...row.slice(0, long), shortened(cell, width - before)]
    const below = joined([...row.slice(0, long + 1).map(() => ''), ...row.slice(long + 1)], widths)
    return [joined(head, widths), ...(below === '' ? [] : [below])]
  })
}

/** The long column is as wide as the longest of its cells that fits beside the others. */
function columnWidths(rows: readonly (readonly string[])[], width: number, long: number): number[] {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, displayWidth(cell))))
  const others = widths.reduce((sum, one, index) => sum + (index === long ? 0 : one + gap.length), 0)
  if (others + (widths[long] ?? 0) <= width) return widths
  const room = width - others
  const fitting = rows.map((row) => displayWidth(row[long] ?? '')).filter((one) => one <= room)
  widths[long] = fitting.reduce((most, one) => Math.max(most, one), long === 0 ? leastIndent : 0)
  return widths
}

function joined(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, index) => cell + ' '.repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(cell))))
    .join(gap)
    .trimEnd()
}

/** Its beginning and its end: names of tensors differ there. */
export function shortened(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  const characters = Array.from(text)
  const half = Math.max(4, Math.floor((width - 1) / 2))
  let [head, tail] = [characters.slice(0, half).join(''), characters.slice(-half).join('')]
  // Of characters that take two columns, fewer.
  while (displayWidth(head) + displayWidth(tail) + 1 > width && head.length > 1) {
    head = Array.from(head).slice(0, -1).join('')
    tail = Array.from(tail).slice(1).join('')
  }
  return `${head}…${tail}`
}
