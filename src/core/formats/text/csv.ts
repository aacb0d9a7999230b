/**
 * Comma-separated values as Python's csv module writes them (its dialect `excel`: RFC 4180, quotes doubled), or with
 * another separator. Read in
 * blocks: logs grow by a row for each step of a training.
 */
import type { ByteSource } from '../bytes/byte-source.js'

const blockSize = 1 << 18
/** Characters of one row; more is not a log. */
const longestRow = 1 << 22

/**
 * The rows' texts, some at a time, without their line ends, which may lie within quotes, and without empty ones. Ends at
 * a row that is too long: what follows is not read.
 */
export function csvRows(source: ByteSource): AsyncGenerator<readonly string[]> {
  return rowsOf(source, true)
}

/** The same where a line end always ends a row, as in JSON lines, whose quotes are not doubled but escaped. */
export function textLines(source: ByteSource): AsyncGenerator<readonly string[]> {
  return rowsOf(source, false)
}

async function* rowsOf(source: ByteSource, mayBeQuoted: boolean): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder('utf-8')
  let rest = ''
  for (let offset = 0; offset < source.byteLength && rest.length < longestRow; offset += blockSize) {
    rest += decoder.decode(await source.read(offset, blockSize), { stream: true })
    const rows: string[] = []
    let start = 0
    let quote = mayBeQuoted ? rest.indexOf('"') : -1
    let isInside = false
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n', end + 1)) {
      for (; quote !== -1 && quote < end; quote = rest.indexOf('"', quote + 1)) isInside = !isInside
      if (isInside) continue
      const row = withoutReturn(rest.slice(start, end))
      if (row !== '') rows.push(row)
      start = end + 1
    }
    rest = rest.slice(start)
    yield rows
  }
  if (rest !== '' && rest.length < longestRow) yield [withoutReturn(rest)]
}

function withoutReturn(row: string): string {
  return row.endsWith('\r') ? row.slice(0, -1) : row
}

/** What stands between the cells of a table. */
export type Separator = ',' | ';' | '\t'

const cellBefore: Readonly<Record<Separator, RegExp>> = {
  ',': /"((?:[^"]|"")*)"|([^,]*)/y,
  ';': /"((?:[^"]|"")*)"|([^;]*)/y,
  '\t': /"((?:[^"]|"")*)"|([^\t]*)/y,
}

/** By the first row, which has names in its cells. */
export function separatorOf(names: string): Separator {
  if (names.includes(',')) return ','
  if (names.includes(';')) return ';'
  return names.includes('\t') ? '\t' : ','
}

/** One cell of a row; undefined for a row that is too short. Most rows are asked for one only. */
export function csvCell(row: string, index: number, separator: Separator = ','): string | undefined {
  if (row.includes('"')) return csvCells(row, separator)[index]
  let start = 0
  for (let passed = 0; passed < index; passed += 1) {
    start = row.indexOf(separator, start) + 1
    if (start === 0) return undefined
  }
  const end = row.indexOf(separator, start)
  return end === -1 ? row.slice(start) : row.slice(start, end)
}

/** The cells of a row. */
export function csvCells(row: string, separator: Separator = ','): string[] {
  if (!row.includes('"')) return row.split(separator)
  const cell = cellBefore[separator]
  const cells: string[] = []
  for (let at = 0; at <= row.length; at = nextEnd(row, separator, cell.lastIndex) + 1) {
    cell.lastIndex = at
    const match = cell.exec(row)
    cells.push(match?.[1]?.replaceAll('""', '"') ?? match?.[2] ?? '')
    // A match of nothing leaves it at 0 where the cell is empty.
    cell.lastIndex = at + (match?.[0].length ?? 0)
  }
  return cells
}

/** What follows a closing quote before the next separator is passed over. */
function nextEnd(row: string, separator: Separator, from: number): number {
  const end = row.indexOf(separator, from)
  return end === -1 ? row.length : end
}
