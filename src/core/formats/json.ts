/**
 * JSON as Python writes it (CPython Lib/json): NaN, Infinity and -Infinity are values, integers have any length, and a
 * key that comes twice keeps its last value.
 */
import { FormatError } from '../errors.js'

export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject

/** In file order. A Map, for keys are data: `__proto__` is a legal one. */
export type JsonObject = ReadonlyMap<string, JsonValue>

const maxDepth = 512

/** Digits of an integer; CPython reads no more either (sys.int_info.default_max_str_digits). */
const maxDigits = 4300

/**
 * The value of a JSON text, given as text or as UTF-8. Integers beyond 2^53 are bigints. Throws FormatError with line
 * and column; its offset counts characters.
 */
export function parseJson(source: string | Uint8Array): JsonValue {
  return new JsonReader(typeof source === 'string' ? source : decode(source)).document()
}

/** True for a JSON object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new FormatError('JSON: the bytes are no UTF-8', { cause })
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

class JsonReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): JsonValue {
    this.#skipBlank()
    if (this.#at >= this.#text.length) throw this.#fail('expected a value, but the text is empty')
    const value = this.#value(1)
    this.#skipBlank()
    if (this.#at < this.#text.length) throw this.#fail('expected the end of the text')
    return value
  }

  #fail(message: string, at = this.#at): FormatError {
    const before = this.#text.slice(0, at)
    const line = before.split('\n').length
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
    if (depth > maxDepth) throw this.#fail(`nested deeper than ${maxDepth} levels`)
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return this.#object(depth)
      case 0x5b:
        return this.#array(depth)
      case 0x22:
        return this.#string()
      default:
        return this.#atom()
    }
  }

  #object(depth: number): JsonObject {
    const object = new Map<string, JsonValue>()
    this.#at++
    this.#skipBlank()
    if (this.#takes(0x7d)) return object
    for (;;) {
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#fail('expected a key in double quotes')
      const key = this.#string()
      this.#skipBlank()
      if (!this.#takes(0x3a)) throw this.#fail('expected ":" after a key')
      this.#skipBlank()
      object.set(key, this.#value(depth + 1))
      this.#skipBlank()
      if (this.#takes(0x7d)) return object
      if (!this.#takes(0x2c)) throw this.#fail('expected "," or "}" in an object')
      this.#skipBlank()
    }
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = []
    this.#at++
    this.#skipBlank()
    if (this.#takes(0x5d)) return array
    for (;;) {
      array.push(this.#value(depth + 1))
      this.#skipBlank()
      if (this.#takes(0x5d)) return array
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
    let from = start
    for (let at = escape; ; at++) {
      const code = text.charCodeAt(at)
      if (code === 0x22) {
        this.#at = at + 1
        parts.push(text.slice(from, at))
        return parts.join('')
      }
      if (!(code >= 0x20)) throw this.#fail('a string that does not end, or holds a raw control character', at)
      if (code !== 0x5c) continue
      const [char, length] = this.#escape(at)
      parts.push(text.slice(from, at), char)
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
    return BigInt(whole)
  }
}
