/** What a checkpoint says of itself, gathered from its sources key by key. */
import { createHash } from 'node:crypto'
import {
  isMeta,
  type Finding,
  type Meta,
  type MetaValue,
  type Moment,
  type TrainingMarks,
} from '../../../checkpoint.js'
import { FormatError, StorageError } from '../../../errors.js'
import { findingOf } from '../folders.js'
import { quoteValue } from '../finite-number.js'
import { countsOfName } from './count-names.js'
import type { FactSource, FactFile, KeyPath, NameSource, Picked } from '../spec.js'
import { pathOf, valueIn, type FileLook, type OpenedFile, type Question, type Unit } from './unit-paths.js'

/** The facts of one source. */
export interface SourceFacts {
  readonly meta: ReadonlyMap<string, MetaValue>
  readonly measuredAt?: ReadonlyMap<string, Moment>
  readonly training?: TrainingMarks
  readonly findings: readonly Finding[]
  /** From the name: step and epoch are the checkpoint's, and no part of what it says of itself. */
  readonly isOfName?: boolean
  /** The file was listed, and is not there any more. */
  readonly isGone?: boolean
}

const noFacts: SourceFacts = { meta: new Map(), findings: [] }
export const factsOfGone: SourceFacts = { ...noFacts, isGone: true }

/** What the form says, or that the name alone tells. */
export function sourcesOf({ form }: Unit): readonly FactSource[] {
  return form.facts ?? [{ from: 'name' }]
}

export function factsOfName(
  { name, named }: Unit,
  { add = {}, leave = [], words = false, pairs = false }: NameSource,
): SourceFacts {
  const counted = words && !named.has('epoch') && !named.has('step') ? countsOfName(name) : []
  const told = pairs ? pairsOfName(name) : []
  const meta = new Map<string, MetaValue>([...counted, ...(words ? metricsAmong(told) : told)])
  if (named.size + meta.size === 0) return noFacts
  for (const [key, text] of named) {
    if (!leave.includes(key)) meta.set(key, corrected(numberOrText(text), add[key]))
  }
  return { meta, findings: [], isOfName: true }
}

/** `val_loss=1.20-step=99`: a minus before a number is its own where an `=` stands before that. */
function pairsOfName(name: string): [string, MetaValue][] {
  const pairs = name.matchAll(
    /(?:^|[-_]{1,2})([A-Za-z][\w./]*?)=([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf)(?=$|[-_.])/gi,
  )
  return [...pairs].map(([, key = '', value = '']) => [key, numberOrText(value)])
}

/** In a name of words a key stands behind what the file is: `best_model_12_val_acc=0.75`. What counts is told by the words. */
function metricsAmong(pairs: readonly [string, MetaValue][]): [string, MetaValue][] {
  return pairs.flatMap(([name, value]): [string, MetaValue][] => {
    const key = name.replace(whatItIs, '')
    return typeof value !== 'number' || noMetric.test(key) ? [] : [[key, value]]
  })
}

const whatItIs =
  /^(?:.*_)?(?:(?:ckpt|checkpoint|model|net|network|weights|params|state|snapshot|best|last|latest|final|epochs?|ep|steps?|iters?)\d*|e?\d+)_(?=[a-z])/i
const noMetric =
  /^(?:.*_)?(?:epochs?|ep|e|(?:global_?)?steps?|iters?|iteration|it|batch|bs|batch_size|seed|fold|rank|lr|wd)$/i

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

/** Of what torch.save wrote only what the source names. Throws FormatError. */
export async function torchContent(look: FileLook, source: FactFile): Promise<Meta> {
  let question = contents.get(source)
  if (question === undefined) contents.set(source, (question = contentQuestion(source)))
  return look.answer(question)
}

const contents = new WeakMap<FactFile, Question<Meta>>()

/** Named by a sum of what the source names, which is long. */
function contentQuestion(source: FactFile): Question<Meta> {
  const { take = {}, has = {}, spread = [] } = source
  const named = createHash('sha256')
    .update(JSON.stringify([take, has, spread]))
    .digest('base64')
    .slice(0, 16)
  return { text: `content ${named}`, fits: isMeta, ask: async (file) => contentIn(file, source) }
}

async function contentIn(look: OpenedFile, { take = {}, has = {}, spread = [] }: FactFile): Promise<Meta> {
  const content = new Map<string, MetaValue>()
  for (const [fact, path] of Object.entries(has)) content.set(fact, look.holdsTorchKey(path))
  for (const path of Object.values(take)) {
    const value = await look.torchValue(path)
    if (value !== undefined) put(content, path, value)
  }
  for (const path of spread) {
    for (const [key, value] of await look.torchScalars(path)) put(content, [...pathOf(path), key], value)
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

/** The facts that a source takes from what a file holds. `known` is what the sources before it gave. */
export function factsOf(source: FactFile, content: Meta, unit: Unit, known: Meta): SourceFacts {
  const { take, has, spread, pick } = source
  if (take === undefined && has === undefined && spread === undefined) {
    const picked = pick?.(content, unit, known) ?? null
    return picked === null ? { meta: new Map(), findings: noFindings } : pickedAs(picked)
  }
  return takenFrom(source, content, unit, known)
}

const noFindings: readonly Finding[] = []

function takenFrom(source: FactFile, content: Meta, unit: Unit, known: Meta): SourceFacts {
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
  const picked = pick?.(content, unit, known) ?? null
  if (picked === null) return { meta, findings: [] }
  const facts = pickedAs(picked)
  return meta.size === 0 ? facts : { ...facts, meta: new Map([...meta, ...facts.meta]) }
}

/** What a spec's own function gave. */
export function pickedAs(picked: Picked | Meta): SourceFacts {
  if (isMetaMap(picked)) return { meta: picked, findings: noFindings }
  const { meta, findings = [], measuredAt, training } = picked
  return {
    meta: new Map(meta),
    findings,
    ...(measuredAt === undefined ? {} : { measuredAt }),
    ...(training === undefined ? {} : { training }),
  }
}

function isMetaMap(picked: Picked | Meta): picked is Meta {
  return picked instanceof Map
}

/** Keys by which checkpoints are put in order. */
const compared = ['unixtime', 'step'] as const

/** The same, or what is wrong where a fact that a comparison needs as a number is none. */
export function withoutWrong(facts: SourceFacts, file: string | undefined): SourceFacts {
  for (const key of compared) {
    const value = facts.meta.get(key)
    if (value === undefined || value === null || typeof value === 'number' || typeof value === 'bigint') continue
    const at = file === undefined ? {} : { file }
    return {
      meta: new Map(),
      findings: [{ grade: 'corrupt', ...at, reason: `${key} is not a number, but ${quoteValue(value)}` }],
    }
  }
  return facts
}

/** Key by key, the first source that has it. */
export function merged(facts: readonly (SourceFacts | null)[]): ReadonlyMap<string, MetaValue> {
  let only: SourceFacts | null = null
  let count = 0
  for (const one of facts) {
    if (one === null || one.meta.size === 0) continue
    only = one
    count += 1
  }
  // Usually a single source says something: then nothing has to be merged.
  if (only === null) return noFacts.meta
  if (count === 1) return only.meta
  const meta = new Map<string, MetaValue>()
  for (const one of facts) for (const [key, value] of one?.meta ?? []) if (!meta.has(key)) meta.set(key, value)
  return meta
}

/** Null where the file is simply not there. Throws what is not a failure of the storage and no damage. */
export function storageFinding(error: unknown, file?: string): Finding | null {
  if (error instanceof FormatError) {
    return { grade: 'corrupt', ...(file === undefined ? {} : { file }), reason: error.message }
  }
  if (error instanceof StorageError) return findingOf(error, file)
  throw error
}
