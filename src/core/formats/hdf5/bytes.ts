/** Numbers of an HDF5 file (HDF Group, "HDF5 File Format Specification Version 3.0"): little-endian, of the sizes that its superblock says. */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { lookup3 } from './checksum.js'

/** Bytes that any one structure takes at most; a group's header with many links in it is the longest. */
const largestStructure = 1 << 26
/** Structures that are read, and bytes of all of them, in a small file: one that leads back to itself has no end. */
const leastReads = 10_000
const leastBytes = 1 << 26

/** The file, and how wide its addresses and lengths are. */
export class Hdf5Source {
  offsetSize = 8
  lengthSize = 8
  private reads = 0
  private bytes = 0

  constructor(private readonly source: ByteSource) {}

  get byteLength(): number {
    return this.source.byteLength
  }

  /** Throws FormatError where the file ends before. */
  async read(position: number, length: number, what: string): Promise<Hdf5Bytes> {
    this.reads += 1
    this.bytes += length
    const { byteLength } = this.source
    const isEndless = this.reads > leastReads + byteLength / 64 || this.bytes > leastBytes + byteLength
    if (isEndless || length > largestStructure) {
      throw new FormatError(`hdf5: ${what} at byte ${position} of ${length} bytes: no file of weights is that large`)
    }
    const bytes = await this.source.read(position, length)
    if (bytes.length === length) return new Hdf5Bytes(bytes, position, this.offsetSize, this.lengthSize)
    throw new FormatError(
      `ends early: ${what} has ${length} bytes from byte ${position} on, and the file has ${this.source.byteLength}`,
      { offset: this.source.byteLength },
    )
  }

  /** The same for a structure of newer files, whose last four bytes are its checksum. Throws FormatError where it differs. */
  async readChecked(position: number, length: number, what: string): Promise<Hdf5Bytes> {
    const bytes = await this.read(position, length, what)
    bytes.requireChecksum(what)
    return bytes
  }

  /** As many bytes as there are, up to `length`. */
  async readSome(position: number, length: number, what: string): Promise<Hdf5Bytes> {
    return this.read(position, Math.max(0, Math.min(length, this.source.byteLength - position)), what)
  }
}

/** Bytes of one structure, read in order. */
export class Hdf5Bytes {
  at = 0
  private readonly view: DataView

  constructor(
    readonly bytes: Uint8Array,
    /** Where they begin in the file. */
    readonly position: number,
    private readonly offsetSize: number,
    private readonly lengthSize: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  fail(message: string): FormatError {
    const offset = this.position + this.at
    return new FormatError(`hdf5, byte ${offset}: ${message}`, { offset })
  }

  private take(count: number): number {
    if (count > this.left) throw this.fail(`ends early: ${count} bytes are needed, and ${this.left} are there`)
    this.at += count
    return this.at - count
  }

  skip(count: number): void {
    this.take(count)
  }

  u8(): number {
    return this.view.getUint8(this.take(1))
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true)
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true)
  }

  /** Of `size` bytes: 1 to 8. Throws FormatError above 2^53. */
  uint(size: number): number {
    const at = this.take(size)
    let value = 0
    for (let index = size - 1; index >= 0; index -= 1) value = value * 256 + this.view.getUint8(at + index)
    if (Number.isSafeInteger(value)) return value
    throw this.fail(`the number ${value} is not a length`)
  }

  /** Null for the address that stands for none: all bits set. */
  address(): number | null {
    const isNone = this.bytes.subarray(this.at, this.at + this.offsetSize).every((byte) => byte === 0xff)
    if (!isNone) return this.uint(this.offsetSize)
    this.skip(this.offsetSize)
    return null
  }

  length(): number {
    return this.uint(this.lengthSize)
  }

  /** Infinity where all bits are set: it has no end. */
  lengthOrEndless(): number {
    const isEndless = this.bytes.subarray(this.at, this.at + this.lengthSize).every((byte) => byte === 0xff)
    if (!isEndless) return this.length()
    this.skip(this.lengthSize)
    return Infinity
  }

  some(count: number): Uint8Array {
    const at = this.take(count)
    return this.bytes.subarray(at, at + count)
  }

  inner(count: number): Hdf5Bytes {
    const position = this.position + this.at
    return new Hdf5Bytes(this.some(count), position, this.offsetSize, this.lengthSize)
  }

  text(count: number): string {
    const bytes = this.some(count)
    const end = bytes.indexOf(0)
    return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString('utf8')
  }

  requireSignature(signature: string, what: string): void {
    const found = Buffer.from(this.some(signature.length)).toString('latin1')
    if (found !== signature) throw this.fail(`${what} begins with ${JSON.stringify(found)}, not ${signature}`)
  }

  requireVersion(version: number, what: string): void {
    const found = this.u8()
    if (found !== version) throw this.fail(`version ${found} of ${what}, and ${version} is known`)
  }

  /** Of all bytes but the last four, which are the checksum. */
  requireChecksum(what: string): void {
    const { length } = this.bytes
    if (length < 4) throw this.fail(`${what} of ${length} bytes has no checksum`)
    this.compareChecksum(lookup3(this.bytes.subarray(0, length - 4)), length - 4, what)
  }

  /** Of all bytes, with zeros in place of the checksum, which lies at `at`. */
  requireChecksumAt(at: number, what: string): void {
    const bytes = Uint8Array.from(this.bytes)
    bytes.fill(0, at, at + 4)
    this.compareChecksum(lookup3(bytes), at, what)
  }

  private compareChecksum(sum: number, at: number, what: string): void {
    const written = this.view.getUint32(at, true)
    if (written === sum) return
    const hex = (value: number) => value.toString(16).padStart(8, '0')
    throw new FormatError(
      `hdf5: ${what} at byte ${this.position} has the checksum ${hex(sum)}, and ${hex(written)} is written there`,
      { offset: this.position },
    )
  }
}
