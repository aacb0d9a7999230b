/** Facts that lie beside the checkpoints of a run: logs and tables, each read once for all. */
import { addTo } from '../../../grouped.js'
import type { Finding, Meta } from '../../../checkpoint.js'
import type { ReadStorage } from '../../../storage/storage.js'
import type { Folder } from '../layout.js'
import { toFinite } from '../finite-number.js'
import type { FactFile, FactSource, TableSource } from '../spec.js'
import { filesBeside } from './files-beside.js'
import { factsOf, merged, sourcesOf, storageFinding, torchContent } from './facts.js'
import { isWorthReading, type Looked } from './looked-claim.js'
import { withOpener } from './opener.js'
import { parseAll } from './unit-files.js'
import { type Joined, readRows } from './log-tables.js'

/** A file of facts beside the checkpoints has no more, unless its source says so. */
const largestFacts = 64 << 20

/** Fills in what lies beside the run's checkpoints: each file once. */
export async function readBesides(storage: ReadStorage, folder: Folder, own: readonly Looked[]): Promise<void> {
  const sources = new Map<FactSource, { one: Looked; at: number }[]>()
  for (const one of own.filter((each) => isWorthReading(each) && each.told.length > 0)) {
    sourcesOf(one.unit).forEach((source, at) => {
      if ('beside' in source) addTo(sources, source, { one, at })
    })
  }
  for (const [source, all] of sources) {
    if (source.from === 'jsonl' || source.from === 'csv') await joinTable(storage, folder, source, all)
    else if (isFile(source)) await tellBeside(storage, folder, source, all)
  }
}

function isFile(source: FactSource): source is FactFile {
  return !['name', 'jsonl', 'csv', 'bytes', 'look'].includes(source.from)
}

async function joinTable(
  storage: ReadStorage,
  folder: Folder,
  source: TableSource,
  all: readonly { readonly one: Looked; readonly at: number }[],
): Promise<void> {
  const known = all.map(({ one }) => merged(one.told))
  const keys = all.map(({ one }, index) => keyOf(one, known[index] ?? new Map(), known, source))
  const wanted = new Set(keys.filter((key) => key !== null))
  const rows = await readRows(storage, await filesBeside(storage, folder, source.beside), source, wanted)
  all.forEach(({ one, at }, index) => {
    const row = rows.get(keys[index] ?? NaN)
    if (row !== undefined) one.told[at] = { meta: row, findings: [] }
  })
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
  asking: readonly { readonly one: Looked; readonly at: number }[],
): Promise<void> {
  const { later } = source
  const all = later === undefined ? asking : asking.filter(({ one }) => !merged(one.told).has(later))
  if (all.length === 0) return
  const [path] = await filesBeside(storage, folder, source.beside ?? '')
  if (path === undefined) return
  const content = await contentBeside(storage, source, path)
  if (content === null || 'reason' in content) return
  for (const { one, at } of all) one.told[at] = factsOf(source, content, one.unit, merged(one.told))
}

async function contentBeside(storage: ReadStorage, source: FactFile, path: string): Promise<Meta | Finding | null> {
  if (source.from === 'torch') {
    return withOpener(storage, async (opener) => {
      try {
        return await torchContent(await opener.look(path), source)
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
