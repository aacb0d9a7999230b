/**
 * A zip archive's central directory (APPNOTE 4.3.12). An archive of 100,000 tensors has as many entries: they are kept as
 * columns of numbers, and one is made an object when it is asked for.
 */
import { FormatError } from '../../../errors.js'
import {
  bufferOf,
  decodeName,
  directoryHeaderSize,
  hex,
  localHeaderSize,
  quote,
  signature,
  toNumber,
  viewOf,
} from './bytes.js'
import type { End } from './end.js'
import { EntryNames } from './names.js'

export interface ZipEntry {
  readonly name: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  /** Bytes in the file. */
  readonly compressedSize: number
  /** Bytes when unpacked. */
  readonly size: number
  /** Where the entry's local header begins, in bytes from the start of the file. */
  readonly headerOffset: number
  /** Where the next entry's local header begins, or the central directory: its bytes end before that. */
  readonly limit: number
}

/** Deflate makes no more than 1,032 bytes of one (zlib's technical notes). */
const highestRatio = 1032
/**
 * What all entries may unpack to: this much for each of their bytes, and this in any case. torch packs none, and numbers
 * that somebody else has packed shrink a little; 2 MB of zeros that are packed well would keep a reader busy for a minute.
 */
const mostUnpacked = { ratio: 100, bytes: 1 << 26 }

/** Where fields of an entry's header lie in it, in bytes. */
const field = {
  ...{ flags: 8, method: 10, crc32: 16, compressedSize: 20, size: 24 },
  ...{ nameLength: 28, extraLength: 30, commentLength: 32, headerOffset: 42 },
} as const

/** In a field of four bytes: a zip64 field says it. */
const elsewhere = 0xffffffff

/** Entries go by their number in the order of the central directory. */
export class ZipArchive {
  readonly count: number
  /** Where the central directory begins; all entries lie before it. */
  readonly directoryOffset: number
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #names: EntryNames
  /** Where each entry's header begins in the directory. */
  readonly #headers: Uint32Array
  readonly #sizes: Float64Array
  readonly #compressedSizes: Float64Array
  readonly #headerOffsets: Float64Array
  readonly #limits: Float64Array
  #entries: readonly ZipEntry[] | undefined

  /**
   * `directory` are the bytes that `end` tells of. Throws FormatError when they are not what it says, and when entries
   * overlap, share a name, are encrypted or use another method than stored and deflated.
   */
  constructor(directory: Uint8Array, end: End) {
    this.count = end.count
    this.directoryOffset = end.directoryOffset
    this.#bytes = bufferOf(directory)
    this.#view = viewOf(directory)
    this.#names = new EntryNames(this.#bytes, end.count)
    this.#headers = new Uint32Array(end.count)
    this.#sizes = new Float64Array(end.count)
    this.#compressedSizes = new Float64Array(end.count)
    this.#headerOffsets = new Float64Array(end.count)
    this.#limits = new Float64Array(end.count)
    this.#readHeaders(end)
    this.#requireModestSizes()
    this.#requireUniqueNames()
    this.#requireDisjoint()
  }

  /** All of them; made when they are asked for. */
  get entries(): readonly ZipEntry[] {
    this.#entries ??= Array.from({ length: this.count }, (_, number) => this.entry(number))
    return this.#entries
  }

  /** Throws RangeError for a number that no entry has. */
  entry(number: number): ZipEntry {
    const at = this.#headers[number]
    if (at === undefined) throw new RangeError(`the archive has no entry number ${number}`)
    return {
      name: this.#nameAt(at),
      method: this.#view.getUint16(at + field.method, true) === 0 ? 'stored' : 'deflated',
      crc32: this.crc32Of(number),
      compressedSize: this.#compressedSizes[number] ?? 0,
      size: this.sizeOf(number),
      headerOffset: this.#headerOffsets[number] ?? 0,
      limit: this.#limits[number] ?? 0,
    }
  }

  find(name: string): ZipEntry | undefined {
    const number = this.numberOf('', name)
    return number < 0 ? undefined : this.entry(number)
  }

  /** The number of the entry named `folder + rest`; -1 when there is none. */
  numberOf(folder: string, rest: string): number {
    return this.#names.find(folder, rest)
  }

  /** All entries but torch's numbered records. */
  *unnumbered(): Generator<ZipEntry> {
    for (const number of this.#names.others()) yield this.entry(number)
  }

  /** Entries in a folder, which ends in a slash, and below it. */
  countIn(folder: string): number {
    return this.#names.countIn(folder)
  }

  /** Bytes when unpacked. */
  sizeOf(number: number): number {
    return this.#sizes[number] ?? 0
  }

  crc32Of(number: number): number {
    return this.#view.getUint32((this.#headers[number] ?? 0) + field.crc32, true)
  }

  #nameAt(at: number): string {
    const start = at + directoryHeaderSize
    return decodeName(this.#bytes, start, start + this.#view.getUint16(at + field.nameLength, true))
  }

  #readHeaders(end: End): void {
    const length = this.#bytes.length
    let at = 0
    for (let number = 0; number < end.count; number += 1) {
      if (at + directoryHeaderSize > length) throw cutDirectory(number, end, at)
      this.#requireSignature(number, at)
      const next = this.#endOf(at)
      if (next > length) throw cutDirectory(number, end, at)
      this.#headers[number] = at
      this.#requireReadable(at)
      this.#readSizes(number, at)
      at = next
    }
    if (at === length) return
    throw new FormatError(
      `the end record counts ${end.count} entries, and the central directory goes on for ${length - at} bytes behind them`,
      { offset: end.directoryOffset + at },
    )
  }

  #requireSignature(number: number, at: number): void {
    const found = this.#view.getUint32(at, true)
    if (found === signature.directory) return
    const offset = this.directoryOffset + at
    throw new FormatError(
      `entry ${number} of the central directory, at byte ${offset}, begins with ${hex(found)}, not ` +
        hex(signature.directory),
      { offset },
    )
  }

  #endOf(at: number): number {
    const view = this.#view
    const lengths = view.getUint16(at + field.nameLength, true) + view.getUint16(at + field.extraLength, true)
    return at + directoryHeaderSize + lengths + view.getUint16(at + field.commentLength, true)
  }

  #requireReadable(at: number): void {
    if ((this.#view.getUint16(at + field.flags, true) & 0x2041) !== 0) throw this.#fault(at, 'is encrypted')
    const method = this.#view.getUint16(at + field.method, true)
    if (method === 0 || method === 8) return
    throw this.#fault(at, `is packed by method ${method}; known are 0 (stored) and 8 (deflated)`)
  }

  #readSizes(number: number, at: number): void {
    const view = this.#view
    const size = view.getUint32(at + field.size, true)
    const compressedSize = view.getUint32(at + field.compressedSize, true)
    const headerOffset = view.getUint32(at + field.headerOffset, true)
    const hasExtra = view.getUint16(at + field.extraLength, true) > 0
    const isLong = size === elsewhere || compressedSize === elsewhere || headerOffset === elsewhere
    if (isLong || hasExtra) this.#readLongSizes(number, at, { size, compressedSize, headerOffset })
    else this.#keepSizes(number, at, size, compressedSize, headerOffset)
  }

  #keepSizes(number: number, at: number, size: number, compressedSize: number, headerOffset: number): void {
    this.#sizes[number] = size
    this.#compressedSizes[number] = compressedSize
    this.#headerOffsets[number] = headerOffset
    if (size !== compressedSize && this.#view.getUint16(at + field.method, true) === 0) {
      throw this.#fault(at, `is stored as it is, but with two sizes: ${compressedSize} and ${size} bytes`)
    }
    if (size > compressedSize * highestRatio) {
      throw this.#fault(at, `: ${compressedSize} deflated bytes cannot hold the ${size} that are claimed`)
    }
  }

  /** What does not fit 32 bits is all ones there and stands in the zip64 extra field, in this order (APPNOTE 4.5.3). */
  #readLongSizes(number: number, at: number, short: Sizes): void {
    const { start, end } = this.#zip64At(at)
    let next = start
    const read = (value: number, what: string): number => {
      if (value !== elsewhere) return value
      if (next + 8 > end) throw this.#fault(at, `: its ${what} should stand in a zip64 field, which is not there`)
      const long = this.#view.getBigUint64(next, true)
      next += 8
      return toNumber(long, `the ${what} of entry ${quote(this.#nameAt(at))}`, this.directoryOffset + at)
    }
    const size = read(short.size, 'size')
    const compressedSize = read(short.compressedSize, 'packed size')
    this.#keepSizes(number, at, size, compressedSize, read(short.headerOffset, 'offset'))
  }

  /** Where an entry's zip64 field lies in the directory; nowhere is a field without bytes. */
  #zip64At(header: number): { start: number; end: number } {
    const view = this.#view
    const first = header + directoryHeaderSize + view.getUint16(header + field.nameLength, true)
    const limit = first + view.getUint16(header + field.extraLength, true)
    for (let at = first; at + 4 <= limit;) {
      const start = at + 4
      const end = start + view.getUint16(at + 2, true)
      if (end > limit) {
        throw this.#fault(header, `: an extra field of ${end - start} bytes, and ${limit - start} are left for it`)
      }
      if (view.getUint16(at, true) === 1) return { start, end }
      at = end
    }
    return { start: limit, end: limit }
  }

  #requireModestSizes(): void {
    const sum = (sizes: Float64Array) => sizes.reduce((total, size) => total + size, 0)
    const [unpacked, packed] = [sum(this.#sizes), sum(this.#compressedSizes)]
    const { ratio, bytes } = mostUnpacked
    if (unpacked <= bytes + ratio * packed) return
    throw new FormatError(
      `its entries unpack to ${unpacked} bytes, more than ${ratio} times the ${packed} that they take: nothing is unpacked`,
    )
  }

  #requireUniqueNames(): void {
    for (let number = 0; number < this.count; number += 1) {
      const at = this.#headers[number] ?? 0
      const start = at + directoryHeaderSize
      const end = start + this.#view.getUint16(at + field.nameLength, true)
      if (!this.#names.add(start, end, number)) {
        throw new FormatError(`two entries have the name ${quote(this.#nameAt(at))}`)
      }
    }
  }

  #requireDisjoint(): void {
    const order = this.#byOffset()
    for (let rank = 0; rank < this.count; rank += 1) {
      const next = rank + 1 < this.count ? (order?.[rank + 1] ?? rank + 1) : -1
      this.#requireEndBefore(order?.[rank] ?? rank, next)
    }
  }

  /** `next` is -1 for the central directory. */
  #requireEndBefore(number: number, next: number): void {
    const offset = this.#headerOffsets[number] ?? 0
    const limit = next < 0 ? this.directoryOffset : (this.#headerOffsets[next] ?? 0)
    const at = this.#headers[number] ?? 0
    const nameLength = this.#view.getUint16(at + field.nameLength, true)
    const least = localHeaderSize + nameLength + (this.#compressedSizes[number] ?? 0)
    this.#limits[number] = limit
    if (offset + least <= limit) return
    const what = next < 0 ? 'the central directory' : `entry ${quote(this.entry(next).name)}`
    throw new FormatError(
      `entry ${quote(this.#nameAt(at))} at byte ${offset} takes at least ${least} bytes and so reaches into ${what} at ` +
        `byte ${limit}`,
      { offset },
    )
  }

  /** Entries by where their headers lie; null where that is the directory's order, as it nearly always is. */
  #byOffset(): Uint32Array | null {
    const offsets = this.#headerOffsets
    let isSorted = true
    for (let number = 1; number < this.count; number += 1) {
      if ((offsets[number] ?? 0) < (offsets[number - 1] ?? 0)) isSorted = false
    }
    if (isSorted) return null
    const order = Uint32Array.from({ length: this.count }, (_, number) => number)
    return order.sort((a, b) => (offsets[a] ?? 0) - (offsets[b] ?? 0))
  }

  /** `what` begins with a verb, or with a colon. */
  #fault(at: number, what: string): FormatError {
    const gap = what.startsWith(':') ? '' : ' '
    return new FormatError(`entry ${quote(this.#nameAt(at))}${gap}${what}`, { offset: this.directoryOffset + at })
  }
}

type Sizes = Pick<ZipEntry, 'compressedSize' | 'size' | 'headerOffset'>

function cutDirectory(read: number, end: End, at: number): FormatError {
  return new FormatError(
    `the central directory ends after ${read} of ${end.count} entries (its ${end.directorySize} bytes begin at byte ` +
      `${end.directoryOffset})`,
    { offset: end.directoryOffset + at },
  )
}

/** True when the checksums mean something: torch can switch them off, and writes zeros then. */
export function hasChecksums(archive: ZipArchive): boolean {
  let filled = 0
  for (let number = 0; number < archive.count; number += 1) {
    if (archive.sizeOf(number) === 0) continue
    if (archive.crc32Of(number) !== 0) return true
    filled += 1
  }
  return filled === 0
}
