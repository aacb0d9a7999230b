/** Records of core (objects, lists, maps, sets, numbers, values of metas) as text, and back. */
import { OpaqueValue } from '../../checkpoint.js'

/** What JSON has no word for is an object with one of these, which no record of core has for a key. */
type Marked =
  | { readonly $map: readonly unknown[] }
  | { readonly $set: readonly unknown[] }
  | { readonly $integer: string }
  | { readonly $number: string }
  | { readonly $opaque: readonly [name: string, text: string] }

/** What is undefined is left out. */
export function textOfRecord(record: object): string {
  return JSON.stringify(record, (_, value: unknown) => marked(value) ?? value)
}

function marked(value: unknown): Marked | undefined {
  if (value instanceof Map) return { $map: [...value].flat(1) }
  if (value instanceof Set) return { $set: [...value] }
  if (value instanceof OpaqueValue) return { $opaque: [value.name, value.text] }
  if (typeof value === 'bigint') return { $integer: String(value) }
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return undefined
  return { $number: Object.is(value, -0) ? '-0' : String(value) }
}

/** Throws SyntaxError for what is no such text. */
export function recordInText(text: string): unknown {
  return JSON.parse(text, (_, value: unknown) => unmarked(value))
}

function unmarked(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { $map, $set, $integer, $number, $opaque } = value as Record<string, unknown>
  if (Array.isArray($map)) return new Map(pairsOf($map))
  if (Array.isArray($set)) return new Set($set)
  if (typeof $integer === 'string') return BigInt($integer)
  if (typeof $number === 'string') return Number($number)
  return Array.isArray($opaque) ? new OpaqueValue(String($opaque[0]), String($opaque[1])) : value
}

function pairsOf(flat: readonly unknown[]): [unknown, unknown][] {
  return Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], flat[2 * at + 1]])
}
