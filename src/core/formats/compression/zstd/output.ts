/** What frames unpack to: it grows with what comes, and not with what a header claims. */
import { brokenZstd } from './broken.js'

/** Up to this many bytes, a call that copies takes longer than a loop. */
const shortCopy = 24

export class Output {
  #bytes: Uint8Array
  #length = 0
  /** Where the frame begins: no other's bytes are repeated. */
  #frame = 0
  /** No byte may come behind it: the end of the block that is unpacked, or the most that is expected. */
  #limit = 0
  #largestBlock = 0

  constructor(
    private readonly most: number,
    expected: number,
  ) {
    this.#bytes = new Uint8Array(Math.min(most, expected))
  }

  get length(): number {
    return this.#length
  }

  /** A view of all that came, or of what came from `start` on. */
  view(start = 0): Uint8Array {
    return this.#bytes.subarray(start, this.#length)
  }

  beginFrame(): void {
    this.#frame = this.#length
  }

  beginBlock(most: number): void {
    this.#largestBlock = most
    this.#limit = this.#length + most
  }

  /** The bytes of `from` between `start` and `end`. */
  put(from: Uint8Array, start = 0, end = from.length): void {
    const count = end - start
    this.#reserve(count)
    const [bytes, to] = [this.#bytes, this.#length]
    if (count > shortCopy) bytes.set(from.subarray(start, end), to)
    else for (let index = 0; index < count; index += 1) bytes[to + index] = from[start + index] ?? 0
    this.#length = to + count
  }

  fill(byte: number, count: number): void {
    this.#reserve(count)
    this.#bytes.fill(byte, this.#length, this.#length + count)
    this.#length += count
  }

  /** `count` bytes again that lie `distance` back; they may reach into what they make. */
  repeat(distance: number, count: number): void {
    if (distance < 1 || distance > this.#length - this.#frame) {
      throw brokenZstd(`repeats what lies ${distance} bytes before byte ${this.#length - this.#frame}`)
    }
    this.#reserve(count)
    const [bytes, to] = [this.#bytes, this.#length]
    if (distance >= count && count > shortCopy) bytes.copyWithin(to, to - distance, to - distance + count)
    else if (distance === 1 && count > shortCopy) bytes.fill(bytes[to - 1] ?? 0, to, to + count)
    else for (let index = to; index < to + count; index += 1) bytes[index] = bytes[index - distance] ?? 0
    this.#length = to + count
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed > this.#limit)
      throw brokenZstd(`a block unpacks to more than the ${this.#largestBlock} bytes that one may have`)
    if (needed > this.most) throw brokenZstd(`more than the ${this.most} bytes that are expected`)
    if (needed <= this.#bytes.length) return
    const larger = new Uint8Array(Math.min(this.most, Math.max(needed, 2 * this.#bytes.length)))
    larger.set(this.view())
    this.#bytes = larger
  }
}
