/** What CSVLogger logged of each step (lightning/fabric/loggers/csv_logs.py). */
import { StorageError } from '../../../errors.js'
import { csvCell, csvCells, csvRows } from '../../../formats/csv.js'
import type { MetaValue } from '../../../checkpoint.js'
import { longestKey, mostKeys } from '../../meta/index.js'
import { sourceOf, withFile } from '../../../storage/file-source.js'
import type { ReadStorage } from '../../../storage/storage.js'

export const logFile = 'metrics.csv'

/** By step. */
export type Logged = ReadonlyMap<number, ReadonlyMap<string, MetaValue>>

const nothing: Logged = new Map()

/**
 * What was logged at these steps. A step has several rows, each with what one logging call knew: an empty cell says
 * nothing, and of two values the later counts. Nothing when there is no such file, or it is another program's. The
 * file is read once, in blocks; only the rows of these steps are kept.
 */
export async function readLog(storage: ReadStorage, path: string, steps: ReadonlySet<number>): Promise<Logged> {
  if (steps.size === 0) return nothing
  try {
    return await withFile(storage, path, async (handle) => collect(csvRows(sourceOf(handle)), steps))
  } catch (error) {
    if (error instanceof StorageError) return nothing
    throw error
  }
}

async function collect(blocks: AsyncIterable<readonly string[]>, steps: ReadonlySet<number>): Promise<Logged> {
  const found = new Map<number, Map<string, MetaValue>>()
  let names: readonly string[] | null = null
  let at = -1
  for await (const rows of blocks) {
    for (const row of rows) {
      if (names === null) {
        names = csvCells(row)
        at = names.indexOf('step')
        if (at === -1 || !names.includes('epoch')) return nothing
        continue
      }
      const text = csvCell(row, at)
      const step = text === undefined || text === '' ? NaN : Number(text)
      if (!steps.has(step)) continue
      const values = found.get(step) ?? new Map<string, MetaValue>()
      found.set(step, values)
      addCells(names, csvCells(row), values)
    }
  }
  return found
}

function addCells(names: readonly string[], cells: readonly string[], values: Map<string, MetaValue>): void {
  for (const [index, name] of names.entries()) {
    const text = cells[index]
    if (text === undefined || text === '' || name === 'step' || name === 'epoch') continue
    if (name.length > longestKey || (values.size >= mostKeys && !values.has(name))) continue
    values.set(name, valueOf(text))
  }
}

const number = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/
const special = new Map([
  ['nan', NaN],
  ['inf', Infinity],
  ['-inf', -Infinity],
])

/** Python's text of a number as a number. */
function valueOf(text: string): MetaValue {
  return number.test(text) ? Number(text) : (special.get(text) ?? text)
}
