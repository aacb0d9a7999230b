/**
 * Comma-separated values as Python's csv module writes them (its dialect `excel`: RFC 4180, quotes doubled). Read in
 * blocks: logs grow by a row for each step of a training.
 */
import type { ByteSource } from './byte-source.js'

const blockSize = 1 << 18
/** Characters of one row; more is no log. */
const longestRow = 1 << 22

/**
 * The rows' texts, without their line ends, which may lie within quotes. Ends at a row that is too long: what follows
 * is not read.
 */
export async function* csvRows(source: ByteSource): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8')
  let rest = ''
  for (let offset = 0; offset < source.byteLength && rest.length < longestRow; offset += blockSize) {
    rest += decoder.decode(await source.read(offset, blockSize), { stream: true })
    let start = 0
    let quote = rest.indexOf('"')
    let isInside = false
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n', end + 1)) {
      for (; quote !== -1 && quote < end; quote = rest.indexOf('"', quote + 1)) isInside = !isInside
      if (isInside) continue
      yield withoutReturn(rest.slice(start, end))
      start = end + 1
    }
    rest = rest.slice(start)
  }
  if (rest !== '' && rest.length < longestRow) yield withoutReturn(rest)
}

function withoutReturn(row: string): string {
  return row.endsWith('\r') ? row.slice(0, -1) : row
}

const cell = /(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/gy

/** The cells of a row. */
export function csvCells(row: string): string[] {
  if (!row.includes('"')) return row.split(',')
  const cells: string[] = []
  cell.lastIndex = 0
  for (let match = cell.exec(row); match !== null; match = cell.lastIndex < row.length ? cell.exec(row) : null) {
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '')
  }
  return cells
}
