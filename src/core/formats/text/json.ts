/**
 * JSON as Python writes it (CPython Lib/json): NaN, Infinity and -Infinity are values, integers have any length, and a
 * key that comes twice keeps its last value.
 */
import { FormatError } from '../../errors.js'

export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject

/** In file order. A Map, for keys are data: `__proto__` is a legal one. */
export type JsonObject = ReadonlyMap<string, JsonValue>

const maxDepth = 512

/**
 * Words of 8 bytes that each takes in memory, an estimate: an object has a table of its own, and what grows leaves its
 * smaller selves behind for a while.
 */
const cost = { object: 24, member: 8, array: 24, item: 2, text: 4, integer: 4 } as const

/** What a text may describe, in words: 16 MB and twelve bytes for each of its own. Dense real ones take eight. */
function mostWordsOf(length: number): number {
  return 2_000_000 + 1.5 * length
}

/** Parts of a text with escapes, each of which is one of its own, that are gathered before they are joined. */
const mostParts = 1024

/** Digits of an integer; CPython reads no more either (sys.int_info.default_max_str_digits). */
const maxDigits = 4300

/** What a text may hold beside what its length allows. */
export interface JsonLimits {
  /** Keys of all its objects together. */
  readonly keys: number
}

/**
 * The value of a JSON text, given as text or as UTF-8. Integers beyond 2^53 are bigints. Throws FormatError with line
 * and column, also for what would take far more memory than its text; its offset counts characters.
 */
export function parseJson(source: string | Uint8Array, limits?: JsonLimits): JsonValue {
  return new JsonReader(typeof source === 'string' ? source : decode(source), limits).document()
}

/** What is wanted of a large object; all else is only checked to be JSON, and takes no memory. */
export interface JsonWants {
  /** Keys of the outermost object whose values are kept. */
  readonly keys: ReadonlySet<string>
  /** The key of a list whose items are handed over one by one, and not kept. */
  readonly list: string
  /** Called before the first item, with what has been kept until there; again for a key that comes twice. */
  readonly onList: (before: JsonObject) => void
  readonly onItem: (item: JsonValue) => void
}

/** The wanted keys of a JSON object; null for a text that is not an object. Throws as `parseJson`. */
export function readJsonObject(source: string | Uint8Array, wants: JsonWants): JsonObject | null {
  return new JsonReader(typeof source === 'string' ? source : decode(source)).outermost(wants)
}

/** Throws FormatError when the text is not JSON. */
export function checkJson(source: string | Uint8Array): void {
  new JsonReader(typeof source === 'string' ? source : decode(source)).check()
}

/** True for a JSON object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new FormatError('JSON: the bytes are not UTF-8', { cause })
  }
}

const blank = /[ \t\n\r]*/y
const number = /(-?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)/y
const word = /null|true|false|NaN|-?Infinity/y
const escapes = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])
const words = new Map<string, JsonValue>([
  ['null', null],
  ['true', true],
  ['false', false],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
])

/** Most that a text could hold of them are these. */
const emptyObject: JsonObject = new Map()
const emptyArray: readonly JsonValue[] = Object.freeze([])

class JsonReader {
  readonly #text: string
  readonly #mostWords: number
  readonly #mostKeys: number
  #at = 0
  /** Taken by what is held. */
  #words = 0
  #keys = 0

  constructor(text: string, limits?: JsonLimits) {
    this.#text = text
    this.#mostWords = mostWordsOf(text.length)
    this.#mostKeys = limits?.keys ?? Infinity
  }

  document(): JsonValue {
    return this.#whole(() => this.#value(1))
  }

  check(): void {
    this.#whole(() => this.#pass(1))
  }

  outermost({ keys, list, onList, onItem }: JsonWants): JsonObject | null {
    return this.#whole(() => {
      if (this.#text.charCodeAt(this.#at) !== 0x7b) {
        this.#pass(1)
        return null
      }
      const object = new Map<string, JsonValue>()
      this.#members((key) => {
        if (key === list && this.#text.charCodeAt(this.#at) === 0x5b) {
          onList(object)
          const held = this.#words
          this.#items(() => {
            onItem(this.#value(3))
            this.#words = held
          })
        } else if (keys.has(key)) object.set(key, this.#value(2))
        else this.#pass(2)
      })
      return object
    })
  }

  #whole<T>(read: () => T): T {
    this.#skipBlank()
    if (this.#at >= this.#text.length) throw this.#fail('expected a value, but the text is empty')
    const value = read()
    this.#skipBlank()
    if (this.#at < this.#text.length) throw this.#fail('expected the end of the text')
    return value
  }

  #fail(message: string, at = this.#at): FormatError {
    const before = this.#text.slice(0, at)
    let line = 1
    for (let end = before.indexOf('\n'); end !== -1; end = before.indexOf('\n', end + 1)) line += 1
    const column = at - before.lastIndexOf('\n')
    return new FormatError(`JSON, line ${line}, column ${column}: ${message}${this.#found(at)}`, { offset: at })
  }

  #found(at: number): string {
    if (at >= this.#text.length) return `; the text ends there, after ${this.#text.length} characters`
    return `; found ${JSON.stringify(this.#text.slice(at, at + 20))}`
  }

  #skipBlank(): void {
    const code = this.#text.charCodeAt(this.#at)
    if (code > 32) return
    blank.lastIndex = this.#at
    blank.test(this.#text)
    this.#at = blank.lastIndex
  }

  #value(depth: number): JsonValue {
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return this.#object(depth)
      case 0x5b:
        return this.#array(depth)
      case 0x22:
        this.#take(cost.text)
        return this.#string()
      default:
        return this.#atom()
    }
  }

  /** A value that is not kept. */
  #pass(depth: number): void {
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        this.#enter(depth)
        this.#members(() => this.#pass(depth + 1))
        return
      case 0x5b:
        this.#enter(depth)
        this.#items(() => this.#pass(depth + 1))
        return
      case 0x22:
        this.#string()
        return
      default:
        this.#atom()
    }
  }

  #enter(depth: number): void {
    if (depth > maxDepth) throw this.#fail(`nested deeper than ${maxDepth} levels`)
  }

  #take(words: number): void {
    this.#words += words
    if (this.#words <= this.#mostWords) return
    const bytes = Math.round(8 * this.#mostWords)
    throw this.#fail(`what it describes takes more than ${bytes} bytes, the most for ${this.#text.length} characters`)
  }

  #object(depth: number): JsonObject {
    this.#enter(depth)
    let object: Map<string, JsonValue> | undefined
    this.#members((key) => {
      if (object === undefined) this.#take(cost.object)
      this.#keys += 1
      if (this.#keys > this.#mostKeys)
        throw this.#fail(`has more than ${this.#mostKeys} keys; at most that many are read`)
      this.#take(cost.text + cost.member)
      object ??= new Map()
      object.set(key, this.#value(depth + 1))
    })
    return object ?? emptyObject
  }

  #array(depth: number): readonly JsonValue[] {
    this.#enter(depth)
    let array: JsonValue[] | undefined
    this.#items(() => {
      this.#take(array === undefined ? cost.array : cost.item)
      array ??= []
      array.push(this.#value(depth + 1))
    })
    return array ?? emptyArray
  }

  /** Calls `onKey` behind each key and its colon; it must read the value. */
  #members(onKey: (key: string) => void): void {
    this.#at++
    this.#skipBlank()
    if (this.#takes(0x7d)) return
    for (;;) {
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#fail('expected a key in double quotes')
      const key = this.#string()
      this.#skipBlank()
      if (!this.#takes(0x3a)) throw this.#fail('expected ":" after a key')
      this.#skipBlank()
      onKey(key)
      this.#skipBlank()
      if (this.#takes(0x7d)) return
      if (!this.#takes(0x2c)) throw this.#fail('expected "," or "}" in an object')
      this.#skipBlank()
    }
  }

  /** Calls `onItem` before each item; it must read it. */
  #items(onItem: () => void): void {
    this.#at++
    this.#skipBlank()
    if (this.#takes(0x5d)) return
    for (;;) {
      onItem()
      this.#skipBlank()
      if (this.#takes(0x5d)) return
      if (!this.#takes(0x2c)) throw this.#fail('expected "," or "]" in an array')
      this.#skipBlank()
    }
  }

  #takes(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }

  #string(): string {
    const text = this.#text
    const start = this.#at + 1
    for (let at = start; ; at++) {
      const code = text.charCodeAt(at)
      if (code === 0x22) {
        this.#at = at + 1
        return text.slice(start, at)
      }
      if (code === 0x5c) return this.#escapedString(start, at)
      if (!(code >= 0x20)) throw this.#fail('a string that does not end, or holds a raw control character', at)
    }
  }

  /** A string from `start` whose first backslash is at `escape`. */
  #escapedString(start: number, escape: number): string {
    const text = this.#text
    const parts: string[] = []
    const joined: string[] = []
    let from = start
    for (let at = escape; ; at++) {
      const code = text.charCodeAt(at)
      if (code === 0x22) {
        this.#at = at + 1
        return [...joined, ...parts, text.slice(from, at)].join('')
      }
      if (!(code >= 0x20)) throw this.#fail('a string that does not end, or holds a raw control character', at)
      if (code !== 0x5c) continue
      const [char, length] = this.#escape(at)
      parts.push(text.slice(from, at), char)
      if (parts.length > mostParts) joined.push(parts.splice(0).join(''))
      at += length - 1
      from = at + 1
    }
  }

  #escape(at: number): [char: string, length: number] {
    const char = escapes.get(this.#text.charAt(at + 1))
    if (char !== undefined) return [char, 2]
    const hex = /^u([0-9a-fA-F]{4})/.exec(this.#text.slice(at + 1, at + 6))
    if (hex === null) throw this.#fail('an unknown escape in a string', at)
    return [String.fromCharCode(Number.parseInt(hex[1] ?? '', 16)), 6]
  }

  #atom(): JsonValue {
    number.lastIndex = this.#at
    const match = number.exec(this.#text)
    if (match !== null) return this.#number(match[1] ?? '', match[2] ?? '')
    word.lastIndex = this.#at
    const found = word.exec(this.#text)?.[0] ?? ''
    const value = words.get(found)
    if (value === undefined) throw this.#fail('expected a value')
    this.#at += found.length
    return value
  }

  #number(whole: string, rest: string): number | bigint {
    if (rest === '' && whole.length > maxDigits) throw this.#fail(`an integer of ${whole.length} digits`)
    this.#at += whole.length + rest.length
    if (rest !== '') return Number(whole + rest)
    const value = Number(whole)
    if (Number.isSafeInteger(value)) return value + 0
    this.#take(cost.integer + (whole.length >> 4))
    return BigInt(whole)
  }
}
