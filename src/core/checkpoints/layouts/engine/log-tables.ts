/** Logs of all checkpoints together: the row of a checkpoint is found by its step or its epoch. */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { StorageError } from '../../../errors.js'
import { sourceOf, withFile } from '../../../storage/file-source.js'
import type { ReadStorage } from '../../../storage/storage.js'
import type { TableSource } from '../spec.js'
import { longestKey, mostKeys } from '../../meta/index.js'
import { logRows } from './log-rows.js'

/** By the value of the column that is joined by. */
export type Rows = ReadonlyMap<Joined, Meta>

/** What a row is found by: a count, or a checkpoint's name. */
export type Joined = number | string

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
  const { by, column = by } = source
  const only = source.isInOrder === true ? undefined : { column, wanted }
  let place = 0
  for (const path of paths) {
    try {
      await withFile(storage, path, async (handle) => {
        for await (const rows of logRows(sourceOf(handle), source, only)) {
          for (const row of rows) {
            if (source.rows?.(row) === false) continue
            addRow(found, row, source.isInOrder === true ? place : row.get(column), source, wanted)
            place += 1
          }
        }
      })
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
    }
  }
  return found
}

function addRow(
  found: Map<Joined, Map<string, MetaValue>>,
  row: Meta,
  at: MetaValue | undefined,
  { by, column = by, columns, leave, called = {} }: TableSource,
  wanted: ReadonlySet<Joined>,
): void {
  if ((typeof at !== 'number' && typeof at !== 'string') || !wanted.has(at)) return
  const values = found.get(at) ?? new Map<string, MetaValue>()
  found.set(at, values)
  for (const [key, value] of row) {
    if (key.length > longestKey || (values.size >= mostKeys && !values.has(key))) continue
    if (key === column || columns?.test(key) === false || leave?.test(key) === true) continue
    values.set(Object.hasOwn(called, key) ? (called[key] ?? key) : key, value)
  }
}
