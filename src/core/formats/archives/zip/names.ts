/** Which entry of an archive has a name. */
import { isAscii } from 'node:buffer'
import { decodeName } from './bytes.js'

const [zero, nine] = [0x30, 0x39]

/**
 * Names as they stand in a directory, each given to one entry. torch's records are named by numbers, `archive/data/17`:
 * those are kept as numbers, without a text for each.
 */
export class EntryNames {
  readonly #bytes: Buffer
  /** What stands before the number in the names of records; null until one was met. */
  #stem: string | null = null
  /** Where that stands in the bytes. */
  #stemStart = 0
  #stemEnd = 0
  /** The entry of each number, counted from 1; 0 for none. */
  readonly #numbered: Int32Array
  #numberedCount = 0
  readonly #others = new Map<string, number>()

  /** `bytes` is the directory, of `count` entries. */
  constructor(bytes: Buffer, count: number) {
    this.#bytes = bytes
    this.#numbered = new Int32Array(count)
  }

  /** Gives the name from `start` to `end` to an entry. False when another has it already. */
  add(start: number, end: number, entry: number): boolean {
    const digits = this.#digitsBefore(start, end)
    if (digits < end && this.#isStem(start, digits)) {
      const number = this.#numberAt(digits, end)
      if (number < this.#numbered.length) return this.#addNumbered(number, entry)
    }
    const name = decodeName(this.#bytes, start, end)
    if (this.#others.has(name)) return false
    this.#others.set(name, entry)
    return true
  }

  #addNumbered(number: number, entry: number): boolean {
    if (this.#numbered[number] !== 0) return false
    this.#numbered[number] = entry + 1
    this.#numberedCount += 1
    return true
  }

  /** The numbers of all entries that are no numbered records. */
  others(): Iterable<number> {
    return this.#others.values()
  }

  /** The entry named `folder + rest`; -1 when there is none. */
  find(folder: string, rest: string): number {
    const number = this.#numberOf(folder, rest)
    if (number < this.#numbered.length) return (this.#numbered[number] ?? 0) - 1
    return this.#others.get(folder + rest) ?? -1
  }

  /** The number of such a record; Infinity for any other name. */
  #numberOf(folder: string, rest: string): number {
    const stem = this.#stem
    if (stem === null) return Infinity
    if (folder === stem) return numberIn(rest)
    const name = folder + rest
    return name.startsWith(stem) ? numberIn(name.slice(stem.length)) : Infinity
  }

  /** Entries in a folder, which ends in a slash, and below it. */
  countIn(folder: string): number {
    let count = this.#stem?.startsWith(folder) === true ? this.#numberedCount : 0
    for (const name of this.#others.keys()) if (name.startsWith(folder)) count += 1
    return count
  }

  /** Where the number at the end of a name begins, as it is written without zeros before it; `end` where there is none. */
  #digitsBefore(start: number, end: number): number {
    let at = end
    while (at > start && end - at < mostDigits && isDigit(this.#bytes[at - 1])) at -= 1
    if (at > start && isDigit(this.#bytes[at - 1])) return end
    return this.#bytes[at] === zero && end - at > 1 ? end : at
  }

  /** The first stem that is met is the stem. Of ASCII, for which there is one way to write it. */
  #isStem(start: number, end: number): boolean {
    if (this.#stem === null) return this.#takeStem(start, end)
    if (end - start !== this.#stemEnd - this.#stemStart) return false
    for (let at = start, other = this.#stemStart; at < end; at += 1, other += 1) {
      if (this.#bytes[at] !== this.#bytes[other]) return false
    }
    return true
  }

  #takeStem(start: number, end: number): boolean {
    const bytes = this.#bytes.subarray(start, end)
    if (!isAscii(bytes)) return false
    this.#stem = bytes.toString('latin1')
    this.#stemStart = start
    this.#stemEnd = end
    return true
  }

  #numberAt(start: number, end: number): number {
    let number = 0
    for (let at = start; at < end; at += 1) number = 10 * number + (this.#bytes[at] ?? zero) - zero
    return number
  }
}

const mostDigits = 9

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= zero && code <= nine
}

/** A number as `EntryNames` takes one; Infinity for any other text. */
function numberIn(text: string): number {
  if (text.length === 0 || text.length > mostDigits) return Infinity
  if (text.charCodeAt(0) === zero && text.length > 1) return Infinity
  let number = 0
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (!isDigit(code)) return Infinity
    number = 10 * number + code - zero
  }
  return number
}
