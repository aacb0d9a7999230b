/** Reading the JSON of a header value by value, as strictly as the reference reader (serde_json). */
import { Buffer } from 'node:buffer'
import { quote, SafetensorsError } from './fault.js'
import { parseU64 } from './u64.js'
import type { U64 } from './u64.js'

/** Bytes of JSON's punctuation. */
export const code = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const

/** Containers in one another that the reference reader takes (serde_json: `remaining_depth` 128, and 0 is refused). */
const deepest = 127

const shortEscapes = new Map([
  [0x22, '"'],
  [0x5c, '\\'],
  [0x2f, '/'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
])

/**
 * Reads JSON from bytes, one token after the other. `JSON.parse` would hide what must be seen here: names given
 * twice, integers beyond 2^53, and `-0` or `1.0` where an integer must stand. It accepts what serde_json accepts.
 */
export class JsonCursor {
  private at = 0
  private readonly bytes: Buffer

  /** `bytes` are known to be UTF-8. `base` is the place of the first one in its file, for messages. */
  constructor(
    bytes: Uint8Array,
    private readonly base: number,
  ) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  fault(message: string, at = this.at): SafetensorsError {
    const offset = this.base + at
    return new SafetensorsError(
      'InvalidHeaderDeserialization',
      `invalid JSON in header at byte ${offset}: ${message}`,
      offset,
    )
  }

  /** The next byte after white space; -1 at the end. */
  peek(): number {
    for (;;) {
      const byte = this.bytes[this.at] ?? -1
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte
      this.at += 1
    }
  }

  /** Takes the byte if it is next. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false
    this.at += 1
    return true
  }

  expect(byte: number, what: string): void {
    if (!this.take(byte)) throw this.unexpected(what)
  }

  unexpected(what: string): SafetensorsError {
    const byte = this.peek()
    if (byte === -1) return this.fault(`expected ${what}, and the header ends`)
    return this.fault(`expected ${what}, found ${describe(byte)}`)
  }

  end(): void {
    if (this.peek() !== -1) throw this.unexpected('the end of the header')
  }

  /** Calls `onKey` after each key and its colon; it must read the value. */
  object(what: string, onKey: (key: string) => void): void {
    this.expect(code.openBrace, what)
    if (this.take(code.closeBrace)) return
    do {
      const key = this.string('a name in quotes')
      this.expect(code.colon, '":"')
      onKey(key)
    } while (this.take(code.comma))
    this.expect(code.closeBrace, '"," or "}"')
  }

  /** Calls `onItem` before each item, with its index; it must read the item. */
  array(what: string, onItem: (index: number) => void): void {
    this.expect(code.openBracket, what)
    if (this.take(code.closeBracket)) return
    let index = 0
    do onItem(index++)
    while (this.take(code.comma))
    this.expect(code.closeBracket, '"," or "]"')
  }

  null(): boolean {
    if (this.peek() !== 0x6e) return false
    this.word('null')
    return true
  }

  string(what: string): string {
    this.expect(code.quote, what)
    const start = this.at
    let ascii = true
    for (;;) {
      const byte = this.bytes[this.at] ?? -1
      if (byte === code.quote) {
        const text = this.bytes.toString(ascii ? 'latin1' : 'utf8', start, this.at)
        this.at += 1
        return text
      }
      if (byte === code.backslash) return this.escapedString(start)
      if (byte < 0x20) throw this.inString(byte)
      if (byte > 0x7f) ascii = false
      this.at += 1
    }
  }

  private escapedString(start: number): string {
    const parts = [this.bytes.toString('utf8', start, this.at)]
    for (;;) {
      let from = this.at
      const byte = this.bytes[this.at] ?? -1
      if (byte === code.quote) {
        this.at += 1
        return parts.join('')
      }
      if (byte === code.backslash) {
        parts.push(this.escape())
        continue
      }
      for (from = this.at; ; this.at += 1) {
        const next = this.bytes[this.at] ?? -1
        if (next === code.quote || next === code.backslash) break
        if (next < 0x20) throw this.inString(next)
      }
      parts.push(this.bytes.toString('utf8', from, this.at))
    }
  }

  private inString(byte: number): SafetensorsError {
    if (byte === -1) return this.fault('a string is not closed before the header ends')
    return this.fault(`a string holds the control character ${describe(byte)} unescaped`)
  }

  private escape(): string {
    const at = this.at
    const letter = this.bytes[at + 1] ?? -1
    const short = shortEscapes.get(letter)
    if (short !== undefined) {
      this.at += 2
      return short
    }
    if (letter !== 0x75) throw this.fault('an escape that JSON does not have', at)
    const first = this.hex(at)
    this.at += 6
    if (first < 0xd800 || first > 0xdfff) return String.fromCharCode(first)
    const paired = this.bytes[at + 6] === code.backslash && this.bytes[at + 7] === 0x75
    const second = first < 0xdc00 && paired ? this.hex(at + 6) : 0
    if (second < 0xdc00 || second > 0xdfff) throw this.fault('half of a surrogate pair stands alone', at)
    this.at += 6
    return String.fromCharCode(first, second)
  }

  /** The four hexadecimal digits of the `\u` escape at `at`. */
  private hex(at: number): number {
    const digits = this.bytes.toString('latin1', at + 2, at + 6)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.fault('\\u needs four hexadecimal digits', at)
    return parseInt(digits, 16)
  }

  /** An integer from 0 below 2^64, written as such: no sign, no fraction, no exponent. */
  unsigned(what: string): U64 {
    const byte = this.peek()
    const start = this.at
    if (!isDigit(byte) && byte !== 0x2d) throw this.unexpected(what)
    const text = this.numberText()
    const value = /^[0-9]+$/.test(text) ? parseU64(text) : undefined
    if (value === undefined) throw this.fault(`expected ${what}, found ${cut(text)}`, start)
    return value
  }

  /** Passes over any value, checking that it is one. `depth` is how many containers are open around it. */
  skip(depth: number): void {
    const byte = this.peek()
    if (byte === code.quote) this.string('a string')
    else if (byte === code.openBrace || byte === code.openBracket) this.skipContainer(byte, depth + 1)
    else if (byte === 0x74) this.word('true')
    else if (byte === 0x66) this.word('false')
    else if (byte === 0x6e) this.word('null')
    else if (isDigit(byte) || byte === 0x2d) this.skipNumber()
    else throw this.unexpected('a value')
  }

  private skipContainer(byte: number, depth: number): void {
    if (depth > deepest) throw this.fault(`more than ${deepest} arrays and objects in one another`)
    if (byte === code.openBrace) this.object('an object', () => this.skip(depth))
    else this.array('an array', () => this.skip(depth))
  }

  private skipNumber(): void {
    const start = this.at
    const text = this.numberText()
    if (!Number.isFinite(Number(text))) throw this.fault(`the number ${cut(text)} is out of range`, start)
  }

  private numberText(): string {
    const start = this.at
    while (isNumberByte(this.bytes[this.at] ?? -1)) this.at += 1
    const text = this.bytes.toString('latin1', start, this.at)
    if (!/^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(text)) {
      throw this.fault(`${cut(text)} is not a number in JSON`, start)
    }
    return text
  }

  private word(word: string): void {
    if (this.bytes.toString('latin1', this.at, this.at + word.length) !== word) throw this.unexpected('a value')
    this.at += word.length
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** Digits, `+ - . e E`. */
function isNumberByte(byte: number): boolean {
  return isDigit(byte) || byte === 0x2b || byte === 0x2d || byte === 0x2e || byte === 0x45 || byte === 0x65
}

function cut(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`
}

function describe(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? quote(String.fromCharCode(byte)) : `byte 0x${byte.toString(16).padStart(2, '0')}`
}
