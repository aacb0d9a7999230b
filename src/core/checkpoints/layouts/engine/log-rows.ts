/** The rows of a log that a training writes, whatever notation they are in. */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { FormatError } from '../../../errors.js'
import type { ByteSource } from '../../../formats/bytes/byte-source.js'
import { csvCell, csvCells, csvRows, separatorOf, textLines, type Separator } from '../../../formats/text/csv.js'
import { parseJson } from '../../../formats/text/json.js'
import { numberOrText } from './facts.js'

/** How the rows are written: under names in the first one, as JSON objects, or as `parse` knows. */
export type RowForm =
  | { readonly from: 'csv' | 'jsonl'; readonly requires?: readonly string[] }
  | { readonly from: 'text'; readonly parse: (line: string) => Meta | null }

/** The rows that are wanted of a table under names: the others are passed over at a glance. */
export interface WantedRows {
  readonly column: string
  readonly wanted: ReadonlySet<MetaValue>
}

/** Lines of a log that are not JSON objects, after which the rest of it is not read: each mistake takes its time. */
const mostUnreadable = 1000

/** Some at a time, in their order. A line that is not a row is left out. */
export async function* logRows(source: ByteSource, form: RowForm, only?: WantedRows): AsyncGenerator<readonly Meta[]> {
  if (form.from === 'csv') {
    yield* namedRows(source, form.requires ?? [], only)
    return
  }
  const [parse, most] = 'parse' in form ? [form.parse, Infinity] : [jsonRow, mostUnreadable]
  let unreadable = 0
  for await (const lines of textLines(source)) {
    const rows: Meta[] = []
    for (const line of lines) {
      const row = parse(line)
      if (row !== null) rows.push(row)
      else if ((unreadable += 1) > most) break
    }
    yield rows
    if (unreadable > most) return
  }
}

async function* namedRows(
  source: ByteSource,
  requires: readonly string[],
  only: WantedRows | undefined,
): AsyncGenerator<readonly Meta[]> {
  let names: readonly string[] | null = null
  let at = -1
  let separator: Separator = ','
  for await (const texts of csvRows(source)) {
    const rows: Meta[] = []
    for (const text of texts) {
      if (names === null) {
        separator = separatorOf(text)
        names = csvCells(text, separator).map((name) => name.trim())
        if (!requires.every((name) => names?.includes(name))) return
        at = only === undefined ? -1 : names.indexOf(only.column)
      } else if (at === -1 || only?.wanted.has(numberOrText(csvCell(text, at, separator)?.trim() ?? '')) === true) {
        rows.push(csvRow(names, text, separator))
      }
    }
    yield rows
  }
}

function jsonRow(text: string): Meta | null {
  try {
    const value: MetaValue = parseJson(text)
    return isMeta(value) ? value : null
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

/** As many as the row has cells: a short row below many names costs what it is long. */
function csvRow(names: readonly string[], text: string, separator: Separator): Meta {
  const row = new Map<string, MetaValue>()
  for (const [index, cell] of csvCells(text, separator).slice(0, names.length).entries()) {
    const value = cell.trim()
    if (value !== '') row.set(names[index] ?? '', numberOrText(value))
  }
  return row
}
