/** What a checkpoint says of itself, gathered from its sources key by key. */
import { isMeta, type Finding, type Meta, type MetaValue, type Moment } from '../../../checkpoint.js'
import { CkptError, FormatError, StorageError } from '../../../errors.js'
import { parseJson } from '../../../formats/json.js'
import { readMetas } from '../../meta/index.js'
import type { Result } from '../../../storage/storage.js'
import { findingOf } from '../folders.js'
import { quoteValue } from '../numbers.js'
import type { FactSource, FileSource, KeyPath, NameSource, Picked } from '../spec.js'
import { pathOf, valueIn, type FileLook, type Unit } from './unit.js'

/** The facts of one source. */
export interface Told {
  readonly meta: ReadonlyMap<string, MetaValue>
  readonly measuredAt?: ReadonlyMap<string, Moment>
  readonly findings: readonly Finding[]
}

export const nothingTold: Told = { meta: new Map(), findings: [] }

/** What the form says, or that the name alone tells. */
export function sourcesOf({ form }: Unit): readonly FactSource[] {
  return form.facts ?? [{ from: 'name' }]
}

export function factsOfName({ named }: Unit, { add = {}, leave = [] }: NameSource): Told {
  const meta = new Map<string, MetaValue>()
  for (const [key, text] of named) {
    if (!leave.includes(key)) meta.set(key, corrected(numberOrText(text), add[key]))
  }
  return { meta, findings: [] }
}

const special = new Map([
  ['nan', NaN],
  ['inf', Infinity],
  ['-inf', -Infinity],
])

/** Python's text of a number as a number; any other text as it is. */
export function numberOrText(text: string): MetaValue {
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text)
  return special.get(text.toLowerCase()) ?? text
}

function corrected(value: MetaValue, by: number | undefined): MetaValue {
  return typeof value === 'number' && by !== undefined ? value + by : value
}

/** The bytes of each file as what the source says that it is, in the same order. */
export async function parseAll(
  source: FileSource,
  texts: readonly { readonly bytes: Result<Uint8Array>; readonly file: string | undefined }[],
): Promise<(Meta | Finding | null)[]> {
  const good = texts.flatMap(({ bytes }) => (bytes.ok ? [bytes.value] : []))
  const yaml = source.from === 'yaml' ? await readMetas(good) : []
  let next = 0
  return texts.map(({ bytes, file }) => {
    if (!bytes.ok) return findingOf(bytes.error, file)
    const parsed = source.from === 'yaml' ? yaml[next++] : parseText(source, bytes.value)
    if (parsed === undefined || parsed instanceof CkptError) {
      return { grade: 'corrupt', ...(file === undefined ? {} : { file }), reason: parsed?.message ?? 'not read' }
    }
    return parsed
  })
}

function parseText({ from }: FileSource, bytes: Uint8Array): Meta | FormatError {
  if (from === 'text') return new Map([['text', new TextDecoder().decode(bytes).trim()]])
  if (bytes.length === 0) return new FormatError('0 bytes')
  try {
    const value: MetaValue = parseJson(bytes)
    return isMeta(value) ? value : new FormatError('no JSON object')
  } catch (error) {
    if (error instanceof FormatError) return error
    throw error
  }
}

/** Of what torch.save wrote only what the source names. Throws FormatError. */
export async function torchContent(look: FileLook, { take = {}, has = {}, spread = [] }: FileSource): Promise<Meta> {
  const content = new Map<string, MetaValue>()
  for (const [fact, path] of Object.entries(has)) content.set(fact, look.holdsTorchKey(path))
  for (const path of Object.values(take)) {
    const value = await look.torchValue(path)
    if (value !== undefined) put(content, path, value)
  }
  for (const path of spread) {
    for (const key of look.torchKeys(path)) {
      const inside = [...pathOf(path), key]
      const value = await look.torchValue(inside)
      if (isScalar(value)) put(content, inside, value)
    }
  }
  return content
}

function put(content: Map<string, MetaValue>, path: KeyPath, value: MetaValue): void {
  const keys = pathOf(path)
  let map = content
  for (const key of keys.slice(0, -1)) {
    const inner = map.get(key)
    const next = inner instanceof Map ? (inner as Map<string, MetaValue>) : new Map<string, MetaValue>()
    map.set(key, next)
    map = next
  }
  map.set(keys.at(-1) ?? '', value)
}

function isScalar(value: MetaValue | undefined): value is MetaValue {
  return value !== undefined && (value === null || typeof value !== 'object')
}

/** The facts that a source takes from what a file holds. `known` is what the sources before it told. */
export function factsOf(source: FileSource, content: Meta, unit: Unit, known: Meta): Told {
  const { take = {}, has = {}, spread = [], leave, add = {}, pick } = source
  const meta = new Map<string, MetaValue>()
  for (const path of spread) {
    const inside = pathOf(path).length === 0 ? content : valueIn(content, path)
    if (!isMeta(inside)) continue
    for (const [key, value] of inside) {
      if (isScalar(value) && value !== null && leave?.test(key) !== true) meta.set(key, corrected(value, add[key]))
    }
  }
  for (const [key, path] of Object.entries(take)) {
    const value = valueIn(content, path)
    if (value !== undefined && value !== null) meta.set(key, corrected(value, add[key]))
  }
  for (const fact of Object.keys(has)) meta.set(fact, content.get(fact) ?? false)
  if (pick === undefined) return { meta, findings: [] }
  const picked = pick(content, unit, known)
  if (picked === null) return { meta, findings: [] }
  const { meta: more, ...rest }: Picked = isMetaMap(picked) ? { meta: picked } : picked
  return { findings: [], ...rest, meta: new Map([...meta, ...more]) }
}

function isMetaMap(picked: Picked | Meta): picked is Meta {
  return picked instanceof Map
}

/** Facts that a comparison needs as numbers, and are none. */
export function explainNoNumber(meta: Meta, file: string | undefined): Finding | null {
  for (const key of ['unixtime', 'step']) {
    const value = meta.get(key)
    if (value === undefined || value === null || typeof value === 'number' || typeof value === 'bigint') continue
    const at = file === undefined ? {} : { file }
    return { grade: 'corrupt', ...at, reason: `${key} is no number, but ${quoteValue(value)}` }
  }
  return null
}

/** Throws what is no failure of the storage. */
export function storageFinding(error: unknown, file?: string): Finding | null {
  if (error instanceof FormatError)
    return { grade: 'corrupt', ...(file === undefined ? {} : { file }), reason: error.message }
  if (error instanceof StorageError) return findingOf(error, file)
  throw error
}
