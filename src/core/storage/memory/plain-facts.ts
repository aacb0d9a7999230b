/**
 * What readers have found out about one file, as text: question, answer, question, answer, in one JSON array. Answers are
 * plain data; what cannot have been written here is not an answer.
 */
import { OpaqueValue, type Meta, type MetaValue } from '../../checkpoint.js'

/** UTF-16 units of one file's facts; what a file has more of is asked of it again. */
export const mostFacts = 1 << 18
/** Answers of one file. */
const mostAnswers = 1000
const deepest = 40
/** Digits of an integer that no double holds. */
const integer = /^-?\d{1,400}$/

const special: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, '-inf': -Infinity, '-0': -0 }

/** By question, the answers as JSON has them. */
export type RawFacts = Map<string, unknown>

/** Empty for none, and for more than is kept of one file. */
export function textOfFacts(facts: RawFacts): string {
  if (facts.size === 0 || facts.size > mostAnswers) return ''
  const text = JSON.stringify([...facts].flat(1))
  return text.length > mostFacts ? '' : text
}

/** Null where it is no such text. */
export function factsInText(text: string): RawFacts | null {
  if (text.length > mostFacts) return null
  const list = parsed(text)
  if (!Array.isArray(list) || list.length % 2 !== 0 || list.length > 2 * mostAnswers) return null
  const facts: RawFacts = new Map()
  for (let at = 0; at < list.length; at += 2) {
    const question: unknown = list[at]
    if (typeof question !== 'string') return null
    facts.set(question, list[at + 1])
  }
  return facts
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A list stands for itself; what JSON has no word for is an object of one key. Undefined for what nests too deep. */
export function rawOf(value: MetaValue, depth = 0): unknown {
  if (depth > deepest) return undefined
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : { f: nameOfSpecial(value) }
  }
  if (typeof value === 'bigint') return { n: String(value) }
  if (value instanceof OpaqueValue) return { o: [value.name, value.text] }
  if (value instanceof Map) return rawMap(value as Meta, depth)
  return rawList(value as readonly MetaValue[], depth)
}

function rawMap(map: Meta, depth: number): { readonly m: unknown[] } | undefined {
  const pairs: unknown[] = []
  for (const [key, value] of map) {
    const raw = rawOf(value, depth + 1)
    if (raw === undefined) return undefined
    pairs.push(key, raw)
  }
  return { m: pairs }
}

function rawList(values: readonly MetaValue[], depth: number): unknown[] | undefined {
  const list = values.map((value) => rawOf(value, depth + 1))
  return list.includes(undefined) ? undefined : list
}

function nameOfSpecial(value: number): string {
  return Object.entries(special).find(([, one]) => Object.is(one, value))?.[0] ?? 'nan'
}

/** Undefined for what `rawOf` never gives. */
export function valueOfRaw(raw: unknown, depth = 0): MetaValue | undefined {
  if (raw === null || typeof raw === 'boolean' || typeof raw === 'string' || typeof raw === 'number') return raw
  if (typeof raw !== 'object' || depth > deepest) return undefined
  if (Array.isArray(raw)) return valuesOf(raw, depth)
  const keys = Object.keys(raw)
  if (keys.length !== 1) return undefined
  const { f, n, o, m } = raw as Partial<Record<'f' | 'n' | 'o' | 'm', unknown>>
  if (typeof f === 'string') return Object.hasOwn(special, f) ? special[f] : undefined
  if (typeof n === 'string') return integer.test(n) ? BigInt(n) : undefined
  if (Array.isArray(m)) return mapOf(m, depth)
  if (!Array.isArray(o)) return undefined
  const [name, text] = o as unknown[]
  return typeof name === 'string' && typeof text === 'string' ? new OpaqueValue(name, text) : undefined
}

function valuesOf(raw: readonly unknown[], depth: number): MetaValue[] | undefined {
  const values: MetaValue[] = []
  for (const one of raw) {
    const value = valueOfRaw(one, depth + 1)
    if (value === undefined) return undefined
    values.push(value)
  }
  return values
}

function mapOf(pairs: readonly unknown[], depth: number): MetaValue | undefined {
  if (pairs.length % 2 !== 0) return undefined
  const map = new Map<string, MetaValue>()
  for (let at = 0; at < pairs.length; at += 2) {
    const key = pairs[at]
    const value = valueOfRaw(pairs[at + 1], depth + 1)
    if (typeof key !== 'string' || value === undefined) return undefined
    map.set(key, value)
  }
  return map
}
