/**
 * The fast path: block maps and lists of one-line scalars, and the block that `yaml.dump` writes for a numpy scalar.
 * That is what nearly every meta is made of. Whatever is not recognised beyond doubt is left to the full path, which
 * must give the same (test/core/formats/pyyaml).
 */
import { CkptError } from '../../errors.js'
import { numpyDtype, type NumpyDtype } from '../numpy/dtype.js'
import { decodeBase64 } from '../python/base64.js'
import { DictBuilder } from '../python/dict.js'
import { numpyScalar } from '../python/rebuild.js'
import { resolvePlain } from './scalars.js'
import type { PyValue } from '../python/value.js'

/** Anything but printable ASCII and line feeds takes the full path. */
const unusual = /[^\n\x20-\x7e]/

/** A key as metrics are named, or one in single quotes. No blanks: those could begin a comment. */
const keyPart = /([A-Za-z0-9_][A-Za-z0-9_./@+%-]{0,120}|'(?:[^'\n]|''){0,120}'):(?=[ \n]|$) */y

/** A plain scalar that ends with its line. What follows a blank or a colon is looked at in `isPlain`. */
const plainStart = /[A-Za-z0-9_./+(-]/

const numpyBlock =
  /!!python\/object\/apply:numpy\.(?:_core|core)\.multiarray\.scalar\n- (?:\*([a-zA-Z0-9_-]+)|(?:&([a-zA-Z0-9_-]+) )?!!python\/object\/apply:numpy\.dtype\n {2}args:\n {2}- ([a-z][0-9]+)\n {2}- false\n {2}- true\n {2}state: !!python\/tuple\n {2}- 3\n {2}- (<|>|'\|')\n {2}- null\n {2}- null\n {2}- null\n {2}- -1\n {2}- -1\n {2}- 0)\n- !!binary \|\n {2}([A-Za-z0-9+/]+=*)(?:\n|$)/y

/** How deep the fast path goes. */
const maxPlainDepth = 16

/** A text that only the full path can read. */
const notPlain = Symbol('not plain')

/**
 * The value of a text that the fast path knows; undefined for every other, malformed ones included.
 */
export function parsePlain(text: string): PyValue | undefined {
  if (unusual.test(text)) return undefined
  try {
    const value = new PlainReader(text).document()
    return value === notPlain ? undefined : value
  } catch (error) {
    if (error instanceof CkptError) return undefined
    throw error
  }
}

class PlainReader {
  readonly #text: string
  readonly #dtypes = new Map<string, NumpyDtype>()
  /** Start of the current line; its first character that is not a blank; its end. */
  #start = 0
  #first = 0
  #end = 0

  constructor(text: string) {
    this.#text = text
    this.#settle()
  }

  document(): PyValue | typeof notPlain {
    if (this.#isDone() || this.#indent !== 0 || this.#isItem) return notPlain
    const value = this.#map(0, 1)
    return this.#isDone() ? value : notPlain
  }

  #isDone(): boolean {
    return this.#start >= this.#text.length
  }

  get #indent(): number {
    return this.#first - this.#start
  }

  get #isItem(): boolean {
    const text = this.#text
    return (
      text.charCodeAt(this.#first) === 45 && (text.charCodeAt(this.#first + 1) === 32 || this.#first + 1 === this.#end)
    )
  }

  #goTo(position: number): void {
    this.#start = position
    this.#settle()
  }

  /** Finds the bounds of the line at #start, or of the next one that is neither blank nor a comment. */
  #settle(): void {
    const text = this.#text
    while (this.#start < text.length) {
      const end = text.indexOf('\n', this.#start)
      this.#end = end === -1 ? text.length : end
      this.#first = this.#start
      while (text.charCodeAt(this.#first) === 32) this.#first++
      if (this.#first < this.#end && text.charCodeAt(this.#first) !== 35) return
      this.#start = this.#end + 1
    }
  }

  #map(indent: number, depth: number): PyValue | typeof notPlain {
    if (depth > maxPlainDepth) return notPlain
    const dict = new DictBuilder()
    while (!this.#isDone() && this.#indent === indent && !this.#isItem) {
      keyPart.lastIndex = this.#first
      const match = keyPart.exec(this.#text)
      if (match === null) return notPlain
      const value = this.#value(this.#first + match[0].length, indent, depth)
      if (value === notPlain) return notPlain
      dict.set(keyOf(match[1] ?? ''), value)
    }
    return this.#isDone() || this.#indent < indent ? dict.build() : notPlain
  }

  /** What stands after `key:`; leaves the reader on the line behind it. */
  #value(from: number, indent: number, depth: number): PyValue | typeof notPlain {
    if (from >= this.#end) return this.#below(indent, depth)
    if (this.#text.charCodeAt(from) === 33) return indent === 0 ? this.#numpy(from) : notPlain
    return this.#scalar(from, indent)
  }

  /** A value that begins on the next line: a map further in, a list, or nothing. */
  #below(indent: number, depth: number): PyValue | typeof notPlain {
    this.#goTo(this.#end + 1)
    if (this.#isDone() || this.#indent < indent) return null
    if (this.#isItem) return this.#list(this.#indent)
    return this.#indent > indent ? this.#map(this.#indent, depth + 1) : null
  }

  #list(indent: number): PyValue | typeof notPlain {
    const items: PyValue[] = []
    while (!this.#isDone() && this.#indent === indent && this.#isItem) {
      if (this.#first + 2 >= this.#end) return notPlain
      const value = this.#scalar(this.#first + 2, indent)
      if (value === notPlain) return notPlain
      items.push(value)
    }
    return { kind: 'list', items }
  }

  /** A scalar from `from` to the end of the line. A deeper line behind it would belong to it. */
  #scalar(from: number, indent: number): PyValue | typeof notPlain {
    let end = this.#end
    while (end > from && this.#text.charCodeAt(end - 1) === 32) end--
    const source = this.#text.slice(from, end)
    const value = scalarOf(source)
    if (value === notPlain) return notPlain
    const line = this.#end + 1
    this.#goTo(line)
    return this.#isDone() || this.#indent <= indent ? value : notPlain
  }

  #numpy(from: number): PyValue | typeof notPlain {
    numpyBlock.lastIndex = from
    const match = numpyBlock.exec(this.#text)
    if (match === null) return notPlain
    const [whole, alias, anchor, code, order, data] = match
    const dtype =
      alias === undefined ? numpyDtype(code ?? '', order === "'|'" ? '|' : (order ?? '')) : this.#dtypes.get(alias)
    if (dtype === undefined || dtype === null) return notPlain
    if (anchor !== undefined) {
      if (this.#dtypes.has(anchor)) return notPlain
      this.#dtypes.set(anchor, dtype)
    }
    const value = numpyScalar(dtype, decodeBase64(data ?? ''))
    if (value === undefined) return notPlain
    const behind = from + whole.length
    if (' \n'.includes(this.#text.charAt(behind)) && behind < this.#text.length) return notPlain
    this.#goTo(behind)
    return value
  }
}

function keyOf(source: string): PyValue {
  return source.startsWith("'") ? source.slice(1, -1).replaceAll("''", "'") : resolvePlain(source)
}

function scalarOf(source: string): PyValue | typeof notPlain {
  if (plainStart.test(source.charAt(0))) return isPlain(source) ? resolvePlain(source) : notPlain
  if (source === '{}') return { kind: 'dict', pairs: [] }
  if (source === '[]') return { kind: 'list', items: [] }
  if (source === '~') return null
  if (/^'(?:[^']|'')*'$/.test(source)) return source.slice(1, -1).replaceAll("''", "'")
  if (/^"[^"\\]*"$/.test(source)) return source.slice(1, -1)
  return notPlain
}

/** False where YAML could see more than one plain scalar: a comment, a nested key, a list item. */
function isPlain(source: string): boolean {
  if (source.startsWith('- ') || source === '-') return false
  return !source.includes(': ') && !source.includes(' #') && !source.endsWith(':')
}
