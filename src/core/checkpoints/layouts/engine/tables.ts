/** Logs of all checkpoints together: the row of a checkpoint is found by its step or its epoch. */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { FormatError, StorageError } from '../../../errors.js'
import { csvCells, csvRows, textLines } from '../../../formats/csv.js'
import { parseJson } from '../../../formats/json.js'
import { sourceOf, withFile } from '../../../storage/source.js'
import type { ReadStorage } from '../../../storage/storage.js'
import type { TableSource } from '../spec.js'
import { longestKey, mostKeys } from '../../meta/index.js'
import { numberOrText } from './facts.js'

/** By the value of the column that is joined by. */
export type Rows = ReadonlyMap<Joined, Meta>

/** What a row is found by: a count, or a checkpoint's name. */
export type Joined = number | string

/** Lines of a log that are no JSON object, after which the rest of it is not read. */
const mostUnreadable = 1000

/**
 * The rows of these numbers. Of several the later values win, column by column: a logger writes a row for each call.
 * Each file is read once, in blocks; only wanted rows are kept. What cannot be read tells nothing.
 */
export async function readRows(
  storage: ReadStorage,
  paths: readonly string[],
  source: TableSource,
  wanted: ReadonlySet<Joined>,
): Promise<Rows> {
  const found = new Map<Joined, Map<string, MetaValue>>()
  if (wanted.size === 0) return found
  for (const path of paths) {
    try {
      await withFile(storage, path, async (handle) => {
        let names: readonly string[] | null = null
        let unreadable = 0
        const readAll = source.from === 'jsonl' ? textLines : csvRows
        for await (const rows of readAll(sourceOf(handle))) {
          for (const text of rows) {
            if (source.from === 'jsonl') {
              const row = jsonRow(text)
              if (row === null) unreadable += 1
              // No log: each mistake would take its time.
              if (unreadable > mostUnreadable) return
              addRow(found, row, source, wanted)
            } else if (names === null) names = csvCells(text).map((name) => name.trim())
            else addRow(found, csvRow(names, text), source, wanted)
          }
        }
      })
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
    }
  }
  return found
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

function csvRow(names: readonly string[], text: string): Meta {
  const cells = csvCells(text)
  return new Map(
    names.flatMap((name, index): [string, MetaValue][] => {
      const cell = cells[index]?.trim() ?? ''
      return cell === '' ? [] : [[name, numberOrText(cell)]]
    }),
  )
}

function addRow(
  found: Map<Joined, Map<string, MetaValue>>,
  row: Meta | null,
  { by, column = by, columns, leave, rows }: TableSource,
  wanted: ReadonlySet<Joined>,
): void {
  const at = row?.get(column)
  if (row === null || (typeof at !== 'number' && typeof at !== 'string') || !wanted.has(at) || rows?.(row) === false)
    return
  const values = found.get(at) ?? new Map<string, MetaValue>()
  found.set(at, values)
  for (const [key, value] of row) {
    if (key.length > longestKey || (values.size >= mostKeys && !values.has(key))) continue
    if (key === column || columns?.test(key) === false || leave?.test(key) === true) continue
    values.set(key, value)
  }
}
