/**
 * The checksum of a tensor of texts (tensorflow/core/util/tensor_bundle/tensor_bundle.cc, `WriteStringTensor`): the
 * lengths as varints, four bytes with the masked checksum of the lengths, then the texts one behind the other. What is
 * summed are not the varints but the lengths as numbers of four bytes, or of eight above 4 GiB.
 */
import { FormatError } from '../../errors.js'
import { crc32c, masked } from '../bytes/crc32c.js'

/** Bytes of lengths that are summed at once. */
const block = 1 << 16

/** Takes the bytes of `count` texts in parts of any size. */
export class TextChecksum {
  #sum = 0
  #left: number
  #partial = 0n
  #shift = 0n
  readonly #lengths = Buffer.alloc(block)
  #filled = 0
  #ofTexts = 0n
  readonly #stored: number[] = []

  constructor(count: number) {
    this.#left = count
  }

  /** Throws FormatError for a length that is none, or lengths that are not what their own checksum says. */
  take(bytes: Uint8Array): void {
    let at = 0
    while (this.#left > 0 && at < bytes.length) this.#takeOfLength(bytes[at++] ?? 0)
    if (this.#left > 0) return
    while (this.#stored.length < 4 && at < bytes.length) {
      this.#stored.push(bytes[at++] ?? 0)
      if (this.#stored.length === 4) this.#compareLengths()
    }
    const rest = bytes.subarray(at)
    this.#ofTexts -= BigInt(rest.length)
    this.#sum = crc32c(rest, this.#sum)
  }

  /** The masked checksum of all. Throws FormatError where the lengths do not come to the bytes that there were. */
  finish(): number {
    if (this.#left > 0 || this.#stored.length < 4) throw new FormatError(`ends ${this.#left} lengths too early`)
    if (this.#ofTexts === 0n) return masked(this.#sum)
    throw new FormatError(
      this.#ofTexts > 0n
        ? `its lengths say ${this.#ofTexts} bytes more than there are`
        : `has ${-this.#ofTexts} bytes more than its lengths say`,
    )
  }

  #takeOfLength(byte: number): void {
    this.#partial |= BigInt(byte & 0x7f) << this.#shift
    this.#shift += 7n
    if (byte >= 0x80) {
      if (this.#shift < 70n) return
      throw new FormatError('has a length of more than ten bytes')
    }
    const length = BigInt.asUintN(64, this.#partial)
    this.#partial = 0n
    this.#shift = 0n
    this.#left -= 1
    this.#ofTexts += length
    this.#addLength(length)
  }

  #addLength(length: bigint): void {
    if (length <= 0xffff_ffffn) this.#filled = this.#lengths.writeUInt32LE(Number(length), this.#filled)
    else this.#filled = this.#lengths.writeBigUInt64LE(length, this.#filled)
    if (this.#filled > block - 8 || this.#left === 0) this.#sumLengths()
  }

  #sumLengths(): void {
    this.#sum = crc32c(this.#lengths.subarray(0, this.#filled), this.#sum)
    this.#filled = 0
  }

  #compareLengths(): void {
    const bytes = Uint8Array.from(this.#stored)
    const stored = new DataView(bytes.buffer).getUint32(0, true)
    const sum = masked(this.#sum)
    if (sum !== stored) {
      throw new FormatError(`has lengths with the checksum ${hex(sum)}, and ${hex(stored)} is written behind them`)
    }
    this.#sum = crc32c(bytes, this.#sum)
  }
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}
