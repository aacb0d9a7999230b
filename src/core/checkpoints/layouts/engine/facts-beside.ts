/** Facts that lie beside the checkpoints of a run: logs and tables, each read once for all. */
import { basename, dirname } from 'node:path'
import { addTo, groupBy } from '../../../grouped.js'
import type { Finding, Meta } from '../../../checkpoint.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'
import { toFinite } from '../finite-number.js'
import type { FactFile, FactSource, RowsSource, RunSource, TableSource } from '../spec.js'
import { filesBeside } from './files-beside.js'
import { factsOf, merged, sourcesOf, storageFinding, torchContent } from './facts.js'
import { isWorthReading, type Looked } from './looked-claim.js'
import { withOpener } from './opener.js'
import { parseAll } from './unit-files.js'
import { type Joined, readTables } from './log-tables.js'

/** A file of facts beside the checkpoints has no more, unless its source says so. */
const largestFacts = 64 << 20

/** A checkpoint that asks a source, and where among its sources that stands. */
interface Asking {
  readonly one: Looked
  readonly at: number
}

/** Fills in what lies beside the run's checkpoints: each file once, in the order of the sources; then what others tell. */
export async function readBesides(storage: ReadStorage, folder: Folder, own: readonly Looked[]): Promise<void> {
  const sources = new Map<FactSource, Asking[]>()
  for (const one of own.filter((each) => isWorthReading(each) && each.facts.length > 0)) {
    sourcesOf(one.unit).forEach((source, at) => {
      if ('beside' in source || source.from === 'run') addTo(sources, source, { one, at })
    })
  }
  for (const group of groupBy(sources, ([source]) => (isTable(source) ? sameLog(source) : source)).values()) {
    const tables = group.flatMap(([source, asking]) => (isTable(source) ? [{ source, asking }] : []))
    if (tables.length > 0) await joinTables(storage, folder, tables)
    for (const [source, all] of group) {
      if (isFile(source)) await tellBeside(storage, folder, source, all)
      else if (source.from === 'rows') await joinRows(storage, folder, source, all)
    }
  }
  for (const [source, asking] of sources) if (source.from === 'run') tellOfOthers(source, asking)
}

function tellOfOthers({ tell }: RunSource, asking: readonly Asking[]): void {
  const told = tell(asking.map(({ one }) => merged(one.facts)))
  asking.forEach(({ one, at }, index) => {
    const meta = told[index]
    // A step or an epoch that the others tell is what the names mean, as it is of one name.
    if (meta !== undefined && meta.size > 0) one.facts[at] = { meta, findings: [], isOfName: true }
  })
}

function isTable(source: FactSource): source is TableSource {
  return source.from === 'jsonl' || source.from === 'csv'
}

/** Equal for tables of the same files. */
function sameLog({ from, beside, requires = [] }: TableSource): string {
  return JSON.stringify([from, beside, requires])
}

function isFile(source: FactSource): source is FactFile {
  return !['name', 'jsonl', 'csv', 'bytes', 'look', 'rows', 'run'].includes(source.from)
}

/** Tables of one log. What their rows are found by never comes from a log. */
async function joinTables(
  storage: ReadStorage,
  folder: Folder,
  tables: readonly { readonly source: TableSource; readonly asking: readonly Asking[] }[],
): Promise<void> {
  const [first] = tables
  if (first === undefined) return
  const keyed = tables.map(({ source, asking }) => {
    const known = asking.map(({ one }) => merged(one.facts))
    return asking.map(({ one }, index) => keyOf(one, known[index] ?? new Map(), known, source))
  })
  const wanted = tables.map(({ source }, index) => {
    return { source, wanted: new Set(keyed[index]?.filter((key) => key !== null)) }
  })
  const rows = await readTables(storage, await filesBeside(storage, folder, first.source.beside), wanted)
  tables.forEach(({ asking }, table) => {
    asking.forEach(({ one, at }, index) => {
      const row = rows[table]?.get(keyed[table]?.[index] ?? NaN)
      if (row !== undefined) one.facts[at] = { meta: row, findings: [] }
    })
  })
}

/** One that cannot be read gives no rows. */
async function joinRows(
  storage: ReadStorage,
  folder: Folder,
  { beside, by, belongs, rows }: RowsSource,
  asking: readonly Asking[],
): Promise<void> {
  const found = new Map<number, Meta>()
  const paths = new Set<string>()
  for (const pattern of beside) {
    const named = await filesBeside(storage, folder, pattern)
    if (pattern.includes('*') && (paths.size > 0 || named.length > 1)) continue
    for (const path of named) if (await isOfRun(storage, folder, path, belongs)) paths.add(path)
  }
  for (const path of paths) {
    await withOpener(storage, async (opener) => {
      try {
        for (const row of await rows(await opener.look(path))) {
          const count = toFinite(row.get(by))
          if (count !== null && !found.has(count)) found.set(count, row)
        }
      } catch (error) {
        storageFinding(error)
      }
    })
  }
  for (const { one, at } of asking) {
    const row = found.get(toFinite(merged(one.facts).get(by)) ?? NaN)
    if (row !== undefined) one.facts[at] = { meta: row, findings: [] }
  }
}

async function isOfRun(
  storage: ReadStorage,
  folder: Folder,
  path: string,
  belongs: RowsSource['belongs'],
): Promise<boolean> {
  if (belongs === undefined || path.startsWith(prefixOf(folder.path))) return true
  const above = dirname(folder.path)
  const [listing] = await storage.list([above])
  const names = (listing?.ok === true ? listing.value : []).flatMap(({ name, kind }) => (kind === 'file' ? [] : [name]))
  const listings = await storage.list(names.map((name) => prefixOf(above) + name))
  const around = names.map((name, index): [string, string[]] => {
    const inside = listings[index]
    return [name, inside?.ok === true ? inside.value.map((entry) => entry.name) : []]
  })
  const holder = dirname(path)
  return belongs(new Map(around), holder === above ? null : basename(holder))
}

/** What the checkpoint's row is found by; null where that is not known. */
function keyOf(one: Looked, known: Meta, all: readonly Meta[], { by, key, offset = 0 }: TableSource): Joined | null {
  if (key !== undefined) return key(known, all)
  if (by === 'name') return one.unit.name
  const count = toFinite(known.get(by))
  return count === null ? null : count + offset
}

async function tellBeside(
  storage: ReadStorage,
  folder: Folder,
  source: FactFile,
  asking: readonly Asking[],
): Promise<void> {
  const { later } = source
  const all = later === undefined ? asking : asking.filter(({ one }) => !merged(one.facts).has(later))
  if (all.length === 0) return
  const [path] = await filesBeside(storage, folder, source.beside ?? '')
  if (path === undefined) return
  const content = await contentBeside(storage, source, path)
  if (content === null || 'reason' in content) return
  for (const { one, at } of all) one.facts[at] = factsOf(source, content, one.unit, merged(one.facts))
}

async function contentBeside(storage: ReadStorage, source: FactFile, path: string): Promise<Meta | Finding | null> {
  if (source.from === 'torch') {
    return withOpener(storage, async (opener) => {
      try {
        const look = await opener.look(path)
        return look.broken === null ? await torchContent(look, source) : null
      } catch (error) {
        return storageFinding(error)
      }
    })
  }
  const [bytes] = await storage.read([path], source.limit ?? largestFacts)
  if (bytes === undefined) return null
  const [content] = await parseAll(source, [bytes], [path])
  return content ?? null
}
