/** Text -> tokens (docs/design.md §4). */
import { mistakeAt, quote } from './mistake.js'
import { parseDuration, parseSize } from './quantity.js'

/** Longer texts are refused: they are not filters that a person wrote. */
const longestText = 65_536

export type Token =
  | { readonly kind: 'name'; readonly at: number; readonly text: string }
  | { readonly kind: 'string'; readonly at: number; readonly text: string; readonly value: string }
  | { readonly kind: 'number'; readonly at: number; readonly text: string; readonly value: number | bigint }
  /** Operators, brackets and the words that act as such, aliases resolved: `&&` is `and`. */
  | { readonly kind: 'symbol'; readonly at: number; readonly text: string; readonly symbol: Symbol }
  | { readonly kind: 'end'; readonly at: number; readonly text: '' }

const symbols = [
  ...['**', '==', '!=', '<=', '>=', '&&', '||'],
  ...['<', '>', '+', '-', '*', '/', '%', '~', '!', '(', ')', '[', ']', ','],
] as const

const words = ['and', 'or', 'not', 'in', 'true', 'false', 'null', 'True', 'False', 'None'] as const

const aliases = {
  '&&': 'and',
  '||': 'or',
  '!': 'not',
  True: 'true',
  False: 'false',
  None: 'null',
} as const

type Written = (typeof symbols)[number] | (typeof words)[number]
export type Symbol = Exclude<Written, keyof typeof aliases>

const blank = /\s+/uy
/** Letters, digits, `_ - / . :`; combining marks belong to their letter. */
const run = /[\p{L}\p{M}\p{N}_\-/.:]+/uy
const nameStart = /[\p{L}_]/u
const numberStart = /\d|\.\d/y
/** Longest first: an exponent may hold a `+`, which is not a character of a name. */
const scientific = /(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)[eE][+-]?\d+(?:_\d+)*/y
const plainNumber = /^(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)$/

/** What people write out of other languages, and what it is here. */
const strangers: readonly (readonly [start: string, hint: string])[] = [
  ['=~', 'a regular expression is matched with ~'],
  ['=', 'equality is ==, inequality !='],
  ['&', 'write and (or &&)'],
  ['|', 'write or (or ||)'],
  ['^', 'a power is written **'],
  ['≤', 'write <='],
  ['≥', 'write >='],
  ['≠', 'write !='],
  ['“', 'use straight quotes: "…"'],
  ['”', 'use straight quotes: "…"'],
  ['‘', "use straight quotes: '…'"],
  ['’', "use straight quotes: '…'"],
  ['{', 'a list is written [a, b]'],
  ['?', 'there is no conditional; use and, or, not'],
]

/** All tokens, the last of them `end`. Throws CkptError `bad-expression`. */
export function tokenize(text: string): Token[] {
  if (text.length > longestText)
    throw mistakeAt(text, 0, `the expression has ${text.length} characters; at most ${longestText} are read`)
  const tokens: Token[] = []
  for (let at = skipBlank(text, 0); at < text.length;) {
    const token = tokenAt(text, at)
    tokens.push(token)
    at = skipBlank(text, at + token.text.length)
  }
  tokens.push({ kind: 'end', at: text.length, text: '' })
  return tokens
}

function skipBlank(text: string, at: number): number {
  return at + matchAt(blank, text, at).length
}

/** What the sticky expression matches at that place, or nothing. */
function matchAt(expression: RegExp, text: string, at: number): string {
  expression.lastIndex = at
  return expression.exec(text)?.[0] ?? ''
}

function tokenAt(text: string, at: number): Token {
  const first = String.fromCodePoint(text.codePointAt(at) ?? 0)
  if (first === '"' || first === "'") return stringAt(text, at, first)
  if (matchAt(numberStart, text, at) !== '') return numberAt(text, at)
  if (nameStart.test(first)) return wordAt(text, at)
  const symbol = symbols.find((candidate) => text.startsWith(candidate, at))
  if (symbol !== undefined) return { kind: 'symbol', at, text: symbol, symbol: resolve(symbol) }
  const hint = strangers.find(([start]) => text.startsWith(start, at))?.[1]
  throw mistakeAt(text, at, `${quote(first)} has no meaning here`, hint)
}

function resolve(written: Written): Symbol {
  return written in aliases ? aliases[written as keyof typeof aliases] : (written as Symbol)
}

function wordAt(text: string, at: number): Token {
  const name = matchAt(run, text, at)
  const word = words.find((candidate) => candidate === name)
  if (word !== undefined) return { kind: 'symbol', at, text: word, symbol: resolve(word) }
  return { kind: 'name', at, text: name }
}

/** A number, a duration, a size; or a name that begins with a digit (`5-gram`). */
function numberAt(text: string, at: number): Token {
  const float = matchAt(scientific, text, at)
  const whole = matchAt(run, text, at)
  if (float.length >= whole.length) return { kind: 'number', at, text: float, value: Number(float.replaceAll('_', '')) }
  const value = parsePlain(whole) ?? parseDuration(whole) ?? parseSize(whole)
  if (value !== undefined) return { kind: 'number', at, text: whole, value }
  if (/^[\d._]+[-/][\d._]+$/.test(whole)) throw needsSpaces(text, at, whole)
  if (/^[\d._:]+\p{L}*$/u.test(whole)) throw noNumber(text, at, whole)
  return { kind: 'name', at, text: whole }
}

function parsePlain(text: string): number | bigint | undefined {
  if (!plainNumber.test(text)) return undefined
  const digits = text.replaceAll('_', '')
  const number = Number(digits)
  return /^\d+$/.test(digits) && !Number.isSafeInteger(number) ? BigInt(digits) : number
}

function needsSpaces(text: string, at: number, whole: string) {
  const spaced = whole.replace(/[-/]/, ' $& ')
  return mistakeAt(text, at, `${quote(whole)} is not a number`, `- and / need a space on both sides: ${spaced}`)
}

function noNumber(text: string, at: number, whole: string) {
  return mistakeAt(
    text,
    at,
    `${quote(whole)} is not a number, duration or size`,
    `durations end in s, m, h, d or w, sizes in B, KB, MB, GB, TB or KiB, MiB, GiB, TiB; for a key of that name write meta[${quote(whole)}]`,
  )
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
  ['\\', '\\'],
  ['"', '"'],
  ["'", "'"],
])

/** As in Python, a backslash before any other character stays: `"\d+"` is a regular expression as it stands. */
function stringAt(text: string, at: number, mark: string): Token {
  let value = ''
  for (let index = at + 1; index < text.length; index += 1) {
    const character = text.charAt(index)
    if (character === mark) return { kind: 'string', at, text: text.slice(at, index + 1), value }
    const escaped = character === '\\' ? escapes.get(text.charAt(index + 1)) : undefined
    value += escaped ?? character
    if (escaped !== undefined) index += 1
  }
  throw mistakeAt(
    text,
    at,
    `this string has no closing ${mark}`,
    'in a shell, put the whole expression in the other quotes',
  )
}
