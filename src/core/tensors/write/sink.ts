/** Where the bytes of a tensor go. */
import { crc32 } from '../../formats/bytes/crc32.js'
import type { WriteHandle } from '../../storage/storage.js'
import { readExactly, type Extent } from '../read/tensor.js'
import type { Pace } from './long-work.js'

export interface Sink {
  /** The bytes may change once this has returned. */
  write(bytes: Uint8Array): Promise<void>
  /** Bytes that lie together in another file. */
  copy(extent: Extent): Promise<void>
}

/** Bytes copied between two looks at the signal. */
const copyStride = 1 << 25
/** Bytes held before they are written: the parts of a file may be small and many. */
const blockSize = 1 << 20

/** Bytes on their way into a file, in blocks. */
class BlockWriter {
  private readonly block = new Uint8Array(blockSize)
  private filled = 0

  constructor(private readonly handle: WriteHandle) {}

  async write(bytes: Uint8Array): Promise<void> {
    if (this.filled + bytes.length > blockSize) await this.flush()
    if (bytes.length >= blockSize) {
      await this.handle.write(bytes)
      return
    }
    this.block.set(bytes, this.filled)
    this.filled += bytes.length
  }

  /** A place for at most `length` more bytes, which counts as filled. */
  async reserve(length: number): Promise<Uint8Array> {
    if (this.filled === blockSize) await this.flush()
    const part = this.block.subarray(this.filled, this.filled + length)
    this.filled += part.length
    return part
  }

  async flush(): Promise<void> {
    const { filled } = this
    this.filled = 0
    if (filled > 0) await this.handle.write(this.block.subarray(0, filled))
  }
}

/** A file as it grows. Extents that follow one another are copied as one. Flush it at the end. */
export class FileSink implements Sink {
  private readonly writer: BlockWriter
  private waiting: Extent | null = null

  constructor(
    private readonly handle: WriteHandle,
    private readonly pace: Pace,
  ) {
    this.writer = new BlockWriter(handle)
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.copyWaiting()
    await this.writer.write(bytes)
    await this.pace.advance(bytes.length)
  }

  async copy(extent: Extent): Promise<void> {
    if (extent.length === 0) return
    const before = this.waiting
    if (before !== null && before.handle === extent.handle && before.position + before.length === extent.position) {
      this.waiting = { ...before, length: before.length + extent.length }
      return
    }
    await this.copyWaiting()
    this.waiting = extent
  }

  async flush(): Promise<void> {
    await this.copyWaiting()
    await this.writer.flush()
  }

  private async copyWaiting(): Promise<void> {
    if (this.waiting === null) return
    const { handle, position, length } = this.waiting
    this.waiting = null
    await this.writer.flush()
    for (let done = 0; done < length;) {
      const part = Math.min(copyStride, length - done)
      await this.handle.copyFrom(handle, position + done, part)
      done += part
      await this.pace.advance(part)
    }
  }
}

/** A file as it grows, with the checksum of what came since `begin`. Flush it at the end. */
export class SummingSink implements Sink {
  private readonly writer: BlockWriter
  private crc = 0
  /** Bytes so far. */
  length = 0

  constructor(
    handle: WriteHandle,
    private readonly pace: Pace,
  ) {
    this.writer = new BlockWriter(handle)
  }

  /** The checksum begins anew. */
  begin(): void {
    this.crc = 0
  }

  get checksum(): number {
    return this.crc
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.writer.write(bytes)
    await this.count(bytes)
  }

  async copy({ handle, position, length }: Extent): Promise<void> {
    for (let done = 0; done < length;) {
      const part = await this.writer.reserve(length - done)
      await readExactly(handle, part, position + done)
      done += part.length
      await this.count(part)
    }
  }

  async flush(): Promise<void> {
    await this.writer.flush()
  }

  private async count(bytes: Uint8Array): Promise<void> {
    this.crc = crc32(bytes, this.crc)
    this.length += bytes.length
    await this.pace.advance(bytes.length)
  }
}
