/** Logs of all checkpoints together: the row of a checkpoint is found by its step, its epoch or its name. */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { StorageError } from '../../../errors.js'
import { sourceOf, withFile } from '../../../storage/file-source.js'
import type { ReadStorage } from '../../../storage/storage.js'
import type { TableSource } from '../spec.js'
import { flatten, longestKey, mostKeys } from '../../meta/index.js'
import { logRows } from './log-rows.js'

/** By the value of the column that is joined by. */
export type Rows = ReadonlyMap<Joined, Meta>

/** What a row is found by: a count, or a checkpoint's name. */
export type Joined = number | string

/** A source, and the rows that are wanted by it. */
export interface WantedTable {
  readonly source: TableSource
  readonly wanted: ReadonlySet<Joined>
}

/**
 * The rows of each table, of sources that name the same files and write them alike. Of several rows the later values win,
 * column by column: a logger writes a row for each call. Each file is read once, in blocks, for all of the tables; only
 * wanted rows are kept. A file that cannot be read gives no rows.
 */
export async function readTables(
  storage: ReadStorage,
  paths: readonly string[],
  asked: readonly WantedTable[],
): Promise<Rows[]> {
  const tables = asked.map((one) => new Table(one))
  const wanting = tables.filter(({ wanted }) => wanted.size > 0)
  const [first] = wanting
  if (first === undefined) return tables.map(({ found }) => found)
  const only = wanting.length === 1 && first.source.isInOrder !== true ? first : undefined
  for (const path of paths) {
    try {
      await withFile(storage, path, async (handle) => {
        for await (const rows of logRows(sourceOf(handle), first.source, only)) {
          for (const row of rows) for (const table of wanting) table.add(row)
        }
      })
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
    }
  }
  return tables.map(({ found }) => found)
}

class Table {
  readonly found = new Map<Joined, Map<string, MetaValue>>()
  readonly source: TableSource
  readonly wanted: ReadonlySet<Joined>
  readonly column: string
  private count = 0

  constructor({ source, wanted }: WantedTable) {
    this.source = source
    this.wanted = wanted
    this.column = source.column ?? source.by
  }

  add(row: Meta): void {
    const { rows, isInOrder, columns, leave, called = {}, between } = this.source
    if (rows?.(row) === false) return
    const at = isInOrder === true ? this.count : row.get(this.column)
    this.count += 1
    if ((typeof at !== 'number' && typeof at !== 'string') || !this.wanted.has(at)) return
    const values = this.found.get(at) ?? new Map<string, MetaValue>()
    this.found.set(at, values)
    for (const [key, value] of row) {
      if (key === this.column || columns?.test(key) === false || leave?.test(key) === true) continue
      const name = Object.hasOwn(called, key) ? (called[key] ?? key) : key
      const own = between === undefined ? [[name, value] as const] : flatten(new Map([[name, value]]), between)
      for (const [one, inner] of own) {
        if (one.length <= longestKey && (values.size < mostKeys || values.has(one))) values.set(one, inner)
      }
    }
  }
}
