/** The bytes of a pickle, read in order; every length is checked against what is left before it is used. */
import { FormatError } from '../../errors.js'
import { decodeUtf8 } from './text.js'

/** The pickle needs more bytes than there are. Of a file's first part, the rest may hold them. */
export class PickleEndsEarly extends FormatError {}

/**
 * Python reads on where this program does not: a bound of ours was met, or a name that only a call would give. What
 * comes behind it is not known, and would run all the same.
 */
export class PickleUnfollowed extends FormatError {}

/** A value of a form that no pickler writes: Python most likely breaks off as well. */
export class PickleDoubtful extends FormatError {}

/** Digits of an integer written as text; CPython reads no more either (sys.int_info.default_max_str_digits). */
const maxDigits = 4300

/** What Python's `int(text, 0)` and C's `strtol` take, without underscores between digits. */
const integerText = /^([-+]?)(0x[0-9a-f]+|0o[0-7]+|0b[01]+|[0-9]+)$/i

export class PickleInput {
  readonly #bytes: Uint8Array
  /** The same, for its quick ways to text. */
  readonly #buffer: Buffer
  readonly #view: DataView
  position: number

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = position
  }

  get length(): number {
    return this.#bytes.length
  }

  fail(message: string, at = this.position): FormatError {
    return new FormatError(`pickle, byte ${at}: ${message}`, { offset: at })
  }

  doubtful(message: string, at = this.position): PickleDoubtful {
    return new PickleDoubtful(`pickle, byte ${at}: ${message}`, { offset: at })
  }

  unfollowed(message: string, at = this.position): PickleUnfollowed {
    return new PickleUnfollowed(`pickle, byte ${at}: ${message}`, { offset: at })
  }

  /** Moves on by `length` bytes; answers where they begin. */
  #take(length: number): number {
    const at = this.position
    if (length > this.#bytes.length - at) {
      const left = this.#bytes.length - at
      throw new PickleEndsEarly(`pickle, byte ${at}: ends early, ${length} bytes are needed and ${left} are left`, {
        offset: at,
      })
    }
    this.position = at + length
    return at
  }

  uint8(): number {
    return this.#bytes[this.#take(1)] ?? 0
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }

  /** A length of 8 bytes. Above 2^53 nothing can be meant, and no input holds it. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true))
  }

  /** Big-endian, unlike everything else in a pickle. */
  float64(): number {
    return this.#view.getFloat64(this.#take(8), false)
  }

  /** A copy, so that a small value does not keep the whole input alive. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.slice(at, at + length)
  }

  skip(length: number): void {
    this.#take(length)
  }

  text(length: number): string {
    const at = this.#take(length)
    const text = decodeUtf8(this.#buffer, at, at + length)
    if (text === undefined) throw this.doubtful(`a text of ${length} bytes is not UTF-8`, at)
    return text
  }

  /** Little-endian two's complement; no bytes are zero. */
  long(length: number): bigint {
    const at = this.#take(length)
    if (length === 0) return 0n
    const digits = Buffer.from(this.#bytes.subarray(at, at + length))
      .reverse()
      .toString('hex')
    return BigInt.asIntN(8 * length, BigInt(`0x${digits}`))
  }

  /** The bytes up to the next line feed, which is passed. */
  line(): Buffer {
    const end = this.#bytes.indexOf(0x0a, this.position)
    if (end === -1) {
      throw new PickleEndsEarly(`pickle, byte ${this.position}: ends early, within a line`, { offset: this.position })
    }
    const line = this.#buffer.subarray(this.position, end)
    this.position = end + 1
    return line
  }

  textLine(): string {
    const at = this.position
    const line = this.line()
    const text = decodeUtf8(line, 0, line.length)
    if (text === undefined) throw this.doubtful('a line is not UTF-8', at)
    return text
  }

  /** `00` or `01` on a line, which is how protocol 0 writes booleans; undefined, and nothing read, for anything else. */
  booleanLine(): boolean | undefined {
    const at = this.position
    const [first, second, end] = [this.#bytes[at], this.#bytes[at + 1], this.#bytes[at + 2]]
    if (first !== 0x30 || end !== 0x0a || (second !== 0x30 && second !== 0x31)) return undefined
    this.position = at + 3
    return second === 0x31
  }

  /** A number on a line, as C reads it: what stands behind a NUL is not seen. */
  numberLine(): string {
    const text = this.line().toString('latin1')
    const end = text.indexOf('\0')
    return (end === -1 ? text : text.slice(0, end)).trim()
  }

  /** An integer on a line, as Python 2 writes it, maybe with an L behind, or in any other way that Python reads. */
  integerLine(): bigint {
    const at = this.position
    const small = this.#smallIntegerLine()
    if (small !== undefined) return small
    const text = this.numberLine().replace(/L$/, '')
    // C takes a line that begins with NUL for 0.
    if (text === '' && this.#bytes[at] === 0) return 0n
    const [, sign = '', digits] = integerText.exec(text.replace(/(?<=[0-9a-fxo])_(?=[0-9a-f])/gi, '')) ?? []
    if (digits === undefined) throw this.doubtful(`${JSON.stringify(text.slice(0, 40))} is not an integer`, at)
    if (digits.length > maxDigits) throw this.unfollowed(`an integer of ${digits.length} digits`, at)
    return sign === '-' ? -BigInt(digits) : BigInt(digits)
  }

  /** Of a few digits and nothing else, as most are; undefined, and nothing read, for any other line. */
  #smallIntegerLine(): bigint | undefined {
    let value = 0
    for (let at = this.position; at < this.position + 9; at += 1) {
      const byte = this.#bytes[at] ?? 0
      if (byte === 0x0a && at > this.position) {
        this.position = at + 1
        return BigInt(value)
      }
      if (byte < 0x30 || byte > 0x39) return undefined
      value = 10 * value + byte - 0x30
    }
    return undefined
  }

  /** A memo index on a line. */
  indexLine(): number {
    const at = this.position
    const index = Number(this.integerLine())
    if (!Number.isSafeInteger(index) || index < 0) throw this.fail(`${index} is not a memo index`, at)
    return index
  }
}
