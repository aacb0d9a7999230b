/** Bit streams of Zstandard that are read from their end to their beginning (RFC 8878, 3.1.1.3.2.2 and 4.2.2). */
import { brokenZstd } from './broken.js'

export class BackwardBits {
  /** Bits that are left; below 0 where more were taken than there are, and what is missing counts as zeros. */
  left: number

  /** The highest bit that is set in the last byte ends the stream. Throws FormatError where there is none. */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly start: number,
    end: number,
  ) {
    const last = end > start ? (bytes[end - 1] ?? 0) : 0
    if (last === 0) throw brokenZstd('a stream of bits that has no end')
    this.left = (end - start - 1) * 8 + (31 - Math.clz32(last))
  }

  /** The next `count` bits, 24 at most, as a number. */
  take(count: number): number {
    this.left -= count
    return this.at(this.left, count)
  }

  /** The next `count` bits, 31 at most. */
  takeMany(count: number): number {
    if (count <= 24) return this.take(count)
    const high = this.take(count - 16)
    return high * 0x1_0000 + this.take(16)
  }

  /** The `count` bits before `left` others, 24 at most, which stay. */
  peekAt(left: number, count: number): number {
    return this.at(left - count, count)
  }

  private at(position: number, count: number): number {
    if (position < 0) return position + count <= 0 ? 0 : this.at(0, position + count) << -position
    const { bytes } = this
    const byte = this.start + (position >>> 3)
    const four =
      (bytes[byte] ?? 0) |
      ((bytes[byte + 1] ?? 0) << 8) |
      ((bytes[byte + 2] ?? 0) << 16) |
      ((bytes[byte + 3] ?? 0) << 24)
    return (four >>> (position & 7)) & ((1 << count) - 1)
  }
}
