/**
 * What a gzip file unpacks to, from its beginning to its end, a part at a time (RFC 1952): its trailer has the CRC-32 and
 * the length of what was packed. What zlib packed likewise (RFC 1950), whose trailer has an Adler-32.
 */
import { pipeline } from 'node:stream'
import { createUnzip, type Unzip } from 'node:zlib'
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import type { UnpackingBudget } from './unpacking-budget.js'

/** By whom it was packed, for messages; bytes that are read, and unpacked, at a time. */
const usual = { name: 'gzip', input: 1 << 20, output: 1 << 18 }

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b
}

/** More would come, and no more is unpacked. */
export class UnpackedEnough extends Error {}

/** Read once, forwards. In bounded memory. Every call throws FormatError where it does not unpack, and UnpackedEnough. */
export class Gunzip {
  readonly #unzip: Unzip
  readonly #parts: AsyncIterator<Uint8Array>
  #part: Uint8Array = new Uint8Array(0)
  #taken = 0
  #done = 0

  constructor(
    private readonly source: ByteSource,
    private readonly budget: UnpackingBudget,
    private readonly how = usual,
  ) {
    this.#unzip = createUnzip({ chunkSize: how.output })
    pipeline(chunksOf(source, how.input), this.#unzip, () => undefined)
    this.#parts = this.#unzip[Symbol.asyncIterator]()
  }

  /** Bytes behind what was unpacked; at the end alone. */
  get left(): number {
    return this.source.byteLength - this.#unzip.bytesWritten
  }

  /** How many bytes were given or passed over. */
  get position(): number {
    return this.#done
  }

  /** The next bytes, `length` at most and all at once; fewer at the end alone. */
  async take(length: number): Promise<Uint8Array> {
    const taken: Uint8Array[] = []
    for (let missing = length; missing > 0;) {
      const part = await this.next(missing)
      if (part === null) break
      taken.push(part)
      missing -= part.length
    }
    return taken.length === 1 && taken[0] !== undefined ? taken[0] : Buffer.concat(taken)
  }

  /** Passes `length` bytes over, or all that is left. Gives how many there were. */
  async skip(length = Infinity): Promise<number> {
    let skipped = 0
    for (;;) {
      const part = skipped < length ? await this.next(length - skipped) : null
      if (part === null) return skipped
      skipped += part.length
    }
  }

  async close(): Promise<void> {
    await this.#parts.return?.()
  }

  /** At least a byte; null at the end. */
  async next(most: number): Promise<Uint8Array | null> {
    while (this.#taken === this.#part.length) {
      const read = await this.#read()
      if (read.done === true) return null
      this.#part = read.value
      this.#taken = 0
      this.budget.left -= read.value.length
      if (this.budget.left < 0) throw new UnpackedEnough()
    }
    const part = this.#part.subarray(this.#taken, this.#taken + most)
    this.#taken += part.length
    this.#done += part.length
    return part
  }

  async #read(): Promise<IteratorResult<Uint8Array>> {
    try {
      return await this.#parts.next()
    } catch (error) {
      if (!isOfZlib(error)) throw error
      const { byteLength } = this.source
      const what = error.code === 'Z_BUF_ERROR' ? `ends early: ${byteLength} bytes` : `is broken (${error.message})`
      throw new FormatError(`${this.how.name}: ${what}, after ${this.#done} bytes that were unpacked`, { cause: error })
    }
  }
}

async function* chunksOf(source: ByteSource, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.byteLength; at += length) yield await source.read(at, length)
}

function isOfZlib(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_')
}
