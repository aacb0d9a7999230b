/** What expressions compute with: the values of meta, compared and reckoned as Python would, but never throwing. */
import { compareCodePoints } from '../../formats/text/code-points.js'
import { OpaqueValue, type MetaValue } from '../../checkpoint.js'

export type Value = MetaValue

/** Where an expression finds its names: one checkpoint, as a rule. */
export interface Scope {
  /** The value of a name as written: built-in, meta key, or dotted way into nested meta. */
  get(name: string): Value | undefined
  /** The value of exactly this meta key, whatever characters it has: `meta["any key"]`. */
  key(name: string): Value | undefined
}

/** True, false, or undefined for unknown (docs/design.md §4). */
export type Truth = boolean | undefined

/**
 * What a value counts for in `and`, `or`, `not` and as a filter: as in Python, with a missing value unknown, and
 * an opaque one too.
 */
export function truthOf(value: Value | undefined): Truth {
  if (typeof value === 'boolean') return value
  if (value === undefined) return undefined
  if (value === null) return false
  if (typeof value === 'number' || typeof value === 'bigint') return value != 0
  if (typeof value === 'string') return value !== ''
  if (Array.isArray(value)) return value.length > 0
  return value instanceof Map ? value.size > 0 : undefined
}

export function not(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth
}

/** The value as a number, booleans as 0 and 1 (as Python's are); undefined for anything else. */
export function toNumeric(value: Value | undefined): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  return typeof value === 'boolean' ? Number(value) : undefined
}

function isScalar(value: Value): boolean {
  return value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value)
}

/**
 * Equality: numbers and booleans by value, strings by characters, null with null, lists of scalars one by one;
 * false across types and for opaque values. Unknown for what is missing, and for nested structures: comparing
 * those could take for ever, since aliases make them as large as they like.
 */
export function equals(a: Value | undefined, b: Value | undefined): Truth {
  if (a === undefined || b === undefined) return undefined
  const left = toNumeric(a)
  const right = toNumeric(b)
  if (left !== undefined && right !== undefined) return left == right
  if (isScalar(a) || isScalar(b)) return a === b
  if (a instanceof OpaqueValue || b instanceof OpaqueValue) return false
  return Array.isArray(a) && Array.isArray(b) ? listsEqual(a as readonly Value[], b as readonly Value[]) : undefined
}

function listsEqual(a: readonly Value[], b: readonly Value[]): Truth {
  if (a.length !== b.length) return false
  let answer: Truth = true
  for (const [index, value] of a.entries()) {
    const other = b[index]
    const same = other !== undefined && (isScalar(value) || isScalar(other)) ? equals(value, other) : undefined
    if (same === false) return false
    answer = same === undefined ? undefined : answer
  }
  return answer
}

/** Negative, zero or positive; NaN when either is NaN; undefined when the two have no order. Big integers exactly. */
export function compare(a: Value | undefined, b: Value | undefined): number | undefined {
  if (typeof a === 'string' && typeof b === 'string') return compareCodePoints(a, b)
  const left = toNumeric(a)
  const right = toNumeric(b)
  if (left === undefined || right === undefined) return undefined
  if (left < right) return -1
  if (left > right) return 1
  return left == right ? 0 : NaN
}

/** `needle in haystack` as Python has it: an element, a part of a string, a key. */
export function isIn(needle: Value | undefined, haystack: Value | undefined): Truth {
  if (needle === undefined || haystack === undefined) return undefined
  if (typeof haystack === 'string') return typeof needle === 'string' ? haystack.includes(needle) : undefined
  if (haystack instanceof Map) return typeof needle === 'string' ? haystack.has(needle) : undefined
  if (!Array.isArray(haystack)) return undefined
  return anyOf(haystack, (element) => equals(needle, element as Value))
}

function anyOf<T>(items: readonly T[], test: (item: T) => Truth): Truth {
  let answer: Truth = false
  for (const item of items) {
    const truth = test(item)
    if (truth === true) return true
    answer = truth === undefined ? undefined : answer
  }
  return answer
}
