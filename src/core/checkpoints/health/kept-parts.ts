/** The first and last bytes of a stream that is unpacked once, as a file that can be read at any place of these. */
import type { Gunzip } from '../../formats/compression/gzip.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'

/** Bytes that are kept of each end. A stream that is shorter than both together is kept whole. */
const keptAtEnd = 8 << 20

/** Thrown by a read of bytes between the two ends. */
export class NotKept extends Error {}

/** Takes the next `size` bytes of what is being unpacked, fewer where that ends before. */
export async function keepParts(unpacked: Gunzip, size: number, file: ReadHandle): Promise<KeptParts> {
  const between = Math.max(0, size - 2 * keptAtEnd)
  const head = await unpacked.take(between === 0 ? size : keptAtEnd)
  if (between === 0) return new KeptParts(file, head.length, head, new Uint8Array(0))
  const skipped = await unpacked.skip(between)
  const tail = await unpacked.take(keptAtEnd)
  return new KeptParts(file, head.length + skipped + tail.length, head, tail)
}

/** Reads throw NotKept for what lies between. */
class KeptParts implements ReadHandle {
  readonly path: string

  constructor(
    private readonly file: ReadHandle,
    /** Bytes of the whole stream. */
    readonly size: number,
    readonly head: Uint8Array,
    private readonly tail: Uint8Array,
  ) {
    this.path = file.path
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const end = Math.min(this.size, position + into.length)
    if (end <= position) return 0
    const start = this.size - this.tail.length
    const isInTail = position >= start
    if (!isInTail && end > this.head.length) throw new NotKept()
    into.set(isInTail ? this.tail.subarray(position - start, end - start) : this.head.subarray(position, end))
    return end - position
  }

  stat(): Promise<Stat> {
    return this.file.stat()
  }

  async close(): Promise<void> {
    // Nothing of it is open.
  }
}
