/**
 * The functions of expressions. Each answers unknown for what it cannot take (`sqrt(-1)`, `lower(3)`, a missing
 * key): nothing throws, and nothing is selected by a value that is not there.
 */
import { compare, equals, isIn, toNumeric, type Value } from './value.js'

type Answer = Value | undefined
export type Call = (values: readonly Answer[]) => Answer

export interface FunctionKind {
  readonly least: number
  readonly most: number
  readonly call: Call
}

/** `has` is one by its looks only: it asks about a key, not about a value. */
export const hasName = 'has'

export const functions: ReadonlyMap<string, FunctionKind> = new Map([
  ['abs', one((value) => magnitude(toNumeric(value)))],
  ['min', many((values) => extreme(values, -1))],
  ['max', many((values) => extreme(values, 1))],
  ['log', oneNumber((x) => (x > 0 || Number.isNaN(x) ? Math.log(x) : undefined))],
  ['exp', oneNumber(Math.exp)],
  ['sqrt', oneNumber((x) => (x < 0 ? undefined : Math.sqrt(x)))],
  ['round', { least: 1, most: 2, call: ([value, digits]) => round(value, digits) }],
  ['floor', oneWhole(Math.floor)],
  ['ceil', oneWhole(Math.ceil)],
  ['lower', oneText((text) => text.toLowerCase())],
  ['upper', oneText((text) => text.toUpperCase())],
  ['startswith', twoTexts((text, part) => text.startsWith(part))],
  ['endswith', twoTexts((text, part) => text.endsWith(part))],
  ['contains', { least: 2, most: 2, call: ([haystack, needle]) => isIn(needle, haystack) }],
  ['isnan', one((value) => isNumeric(value, (x) => Number.isNaN(x)))],
  ['isfinite', one((value) => isNumeric(value, (x) => typeof x === 'bigint' || Number.isFinite(x)))],
])

function one(call: (value: Answer) => Answer): FunctionKind {
  return { least: 1, most: 1, call: ([value]) => call(value) }
}

function many(call: Call): FunctionKind {
  return { least: 1, most: Infinity, call }
}

function oneNumber(call: (x: number) => number | undefined): FunctionKind {
  return one((value) => {
    const number = toNumeric(value)
    return number === undefined ? undefined : call(Number(number))
  })
}

/** Integers that a double cannot hold are whole already. */
function oneWhole(call: (x: number) => number): FunctionKind {
  return one((value) => {
    const number = toNumeric(value)
    return typeof number === 'number' ? call(number) : number
  })
}

function oneText(call: (text: string) => string): FunctionKind {
  return one((value) => (typeof value === 'string' ? call(value) : undefined))
}

function twoTexts(call: (text: string, part: string) => boolean): FunctionKind {
  return {
    least: 2,
    most: 2,
    call: ([text, part]) => (typeof text === 'string' && typeof part === 'string' ? call(text, part) : undefined),
  }
}

function isNumeric(value: Answer, test: (x: number | bigint) => boolean): boolean | undefined {
  const number = toNumeric(value)
  return number === undefined ? undefined : test(number)
}

function magnitude(value: number | bigint | undefined): Answer {
  if (value === undefined) return undefined
  return typeof value === 'bigint' ? (value < 0n ? -value : value) : Math.abs(value)
}

/** Of several numbers, or of one list of them. NaN among them wins: it must not hide. */
function extreme(values: readonly Answer[], sign: -1 | 1): Answer {
  const [first] = values
  const items = values.length === 1 && Array.isArray(first) ? (first as readonly Value[]) : values
  let best: number | bigint | undefined
  for (const item of items) {
    const number = toNumeric(item)
    if (number === undefined) return undefined
    if (equals(number, number) === false) return NaN
    if (best === undefined || (compare(number, best) ?? 0) * sign > 0) best = number
  }
  return best
}

/** As Python: halves go to the even neighbour. */
function round(value: Answer, digits: Answer): Answer {
  const number = toNumeric(value)
  const decimals = digits === undefined ? 0 : toNumeric(digits)
  if (typeof number !== 'number' || typeof decimals !== 'number') return number
  if (!Number.isInteger(decimals) || decimals < 0 || decimals > 100) return undefined
  if (decimals > 0) return Math.abs(number) < 1e21 ? Number(number.toFixed(decimals)) : number
  const below = Math.floor(number)
  const isHalf = number - below === 0.5
  return isHalf ? below + Math.abs(below % 2) : Math.round(number)
}
