/** What the small files in a unit say: read together with those of the other units, whole. */
import type { Finding, Meta, MetaValue } from '../../../checkpoint.js'
import { CkptError, FormatError } from '../../../errors.js'
import { parseJson } from '../../../formats/text/json.js'
import type { ReadStorage, Result } from '../../../storage/storage.js'
import { isMeta } from '../../../checkpoint.js'
import { mostKeys, readMetas } from '../../meta/index.js'
import { batches, findingOf } from '../folders.js'
import type { BytesSource, FactSource, FactFile } from '../spec.js'
import { explainCut } from './cut-yaml.js'
import {
  factsOf,
  factsOfName,
  factsOfGone,
  merged,
  pickedAs,
  sourcesOf,
  withoutWrong,
  type SourceFacts,
} from './facts.js'
import { filesNamed, ownFiles } from './proof.js'
import type { Unit } from './unit-paths.js'

/** Files read together. */
const atOnce = 256
/** Bytes of a file that is read together with others; larger ones are read one after the other. */
const usual = 1 << 20
/** A file of facts has no more, unless its source says so. */
const largest = 64 << 20

type OwnSource = FactFile | BytesSource

interface Wanted {
  readonly unit: Unit
  /** Absolute. */
  readonly path: string
  /** What the unit's sources say; this one has its place in the form. */
  readonly facts: (SourceFacts | null)[]
  readonly at: number
}

/** By unit, what its name and its whole small files say; null in place of a source that is read elsewhere. */
export async function readOwnFiles(
  storage: ReadStorage,
  units: readonly Unit[],
): Promise<ReadonlyMap<Unit, (SourceFacts | null)[]>> {
  const all = new Map<Unit, (SourceFacts | null)[]>()
  const wanted = new Map<OwnSource, Wanted[]>()
  for (const unit of units) {
    const facts: (SourceFacts | null)[] = []
    for (const source of sourcesOf(unit)) {
      if (isOwnText(source)) wantFile(wanted, source, unit, facts)
      facts.push(source.from === 'name' ? factsOfName(unit, source) : null)
    }
    all.set(unit, facts)
  }
  for (const [source, ofSource] of wanted) {
    for (const some of batches(ofSource, atOnce)) await tellBatch(storage, source, some)
  }
  return all
}

/** Its index in `facts` is the next. */
function wantFile(
  wanted: Map<OwnSource, Wanted[]>,
  source: OwnSource,
  unit: Unit,
  facts: (SourceFacts | null)[],
): void {
  const path = pathsOf(unit, source)[0]
  if (path === undefined) return
  const one = { unit, path, facts, at: facts.length }
  const others = wanted.get(source)
  if (others === undefined) wanted.set(source, [one])
  else others.push(one)
}

function isOwnText(source: FactSource): source is OwnSource {
  if (source.from === 'bytes') return true
  if (source.from !== 'json' && source.from !== 'yaml' && source.from !== 'text') return false
  return source.beside === undefined && source.later === undefined
}

/** The files of the unit that a source means; the first counts. */
export function pathsOf(unit: Unit, { file }: Pick<OwnSource, 'file'>): string[] {
  return file === undefined ? ownFiles(unit) : filesNamed(unit, file)
}

/** The file as a finding calls it; undefined for a checkpoint that is that file. */
export function nameWithin(unit: Unit, path: string): string | undefined {
  if (unit.kind === 'file') return undefined
  return path.slice((unit.kind === 'folder' ? unit.path : unit.folder.path).length + 1)
}

async function tellBatch(storage: ReadStorage, source: OwnSource, some: readonly Wanted[]): Promise<void> {
  const paths = some.map(({ path }) => path)
  const texts = await storage.read(paths, Math.min(usual, source.limit ?? usual))
  for (const [index, text] of texts.entries()) {
    if (!text.ok) texts[index] = await whole(storage, paths[index] ?? '', source, text)
  }
  if (source.from === 'bytes') {
    some.forEach((one, index) => (one.facts[one.at] = tellBytes(source, texts[index], one)))
    return
  }
  const files = some.map(({ unit, path }) => nameWithin(unit, path))
  const contents = await parseAll(source, texts, files)
  some.forEach(({ unit, facts, at }, index) => {
    facts[at] = tellContent(source, contents[index] ?? null, unit, files[index], facts)
  })
}

/** What was too large to be read together with others, by itself. */
async function whole(
  storage: ReadStorage,
  path: string,
  { limit = largest }: OwnSource,
  text: Result<Uint8Array>,
): Promise<Result<Uint8Array>> {
  if (text.ok || text.error.errno !== 'EFBIG' || limit <= usual) return text
  return (await storage.read([path], limit))[0] ?? text
}

function tellBytes(
  source: BytesSource,
  text: Result<Uint8Array> | undefined,
  { unit, path, facts }: Wanted,
): SourceFacts | null {
  const file = nameWithin(unit, path)
  if (text === undefined) return null
  if (!text.ok) return failed(findingOf(text.error, file))
  if (text.value.length === 0) return failed(corrupt(file, '0 bytes'))
  try {
    return withoutWrong(pickedAs(source.tell(text.value, unit, merged(facts))), file)
  } catch (error) {
    if (error instanceof FormatError) return failed(corrupt(file, error.message))
    throw error
  }
}

function failed(finding: Finding | null): SourceFacts | null {
  return finding === null ? factsOfGone : { meta: new Map(), findings: [finding] }
}

/** What a source takes from a file's content, or what is wrong with that. */
export function tellContent(
  source: FactFile,
  content: Meta | Finding | null,
  unit: Unit,
  file: string | undefined,
  before: readonly (SourceFacts | null)[],
): SourceFacts | null {
  if (content === null) return factsOfGone
  if ('reason' in content) return { meta: new Map(), findings: source.lazy === true ? [] : [content] }
  return withoutWrong(factsOf(source, content, unit, merged(before)), file)
}

/** The bytes of each file as what the source says that it is, in the same order. */
export async function parseAll(
  source: FactFile,
  texts: readonly Result<Uint8Array>[],
  files: readonly (string | undefined)[],
): Promise<readonly (Meta | Finding | null)[]> {
  if (source.from === 'yaml') return explainCut(await parseYaml(texts, files), texts, files)
  return texts.map((bytes, index) => {
    if (!bytes.ok) return findingOf(bytes.error, files[index])
    const parsed = parseText(source, bytes.value)
    return parsed instanceof CkptError ? corrupt(files[index], parsed.message) : parsed
  })
}

async function parseYaml(
  texts: readonly Result<Uint8Array>[],
  files: readonly (string | undefined)[],
): Promise<(Meta | Finding | null)[]> {
  const parsed = await readMetas(texts.flatMap((text) => (text.ok ? [text.value] : [])))
  let next = 0
  return texts.map((text, index) => {
    if (!text.ok) return findingOf(text.error, files[index])
    const meta = parsed[next++]
    return meta === undefined || meta instanceof CkptError ? corrupt(files[index], meta?.message ?? 'not read') : meta
  })
}

function parseText({ from }: FactFile, bytes: Uint8Array): Meta | FormatError {
  if (from === 'text') return new Map([['text', new TextDecoder().decode(bytes).trim()]])
  if (bytes.length === 0) return new FormatError('0 bytes')
  try {
    const value: MetaValue = parseJson(bytes, { keys: mostKeys })
    return isMeta(value) ? value : new FormatError('no JSON object')
  } catch (error) {
    if (error instanceof FormatError) return error
    throw error
  }
}

export function corrupt(file: string | undefined, reason: string): Finding {
  return { grade: 'corrupt', ...(file === undefined ? {} : { file }), reason }
}
