/** A tensor's bytes in pieces of the sizes that one asks for, whatever sizes they come in. */
import { FormatError } from '../../errors.js'
import { isExtent, readExactly, type Extent, type TensorData } from './tensor.js'

export interface TensorReader {
  /** The next `count` bytes, which are no more than the buffer has; valid until the next call. Throws FormatError. */
  take(count: number): Promise<Uint8Array>
  /** Leaves out the next `count` bytes. */
  skip(count: number): Promise<void>
  /** Lets go of what is behind a stream. */
  close(): Promise<void>
}

/** `buffer` is this reader's while it reads. */
export function readerOf(data: TensorData, buffer: Uint8Array): TensorReader {
  return isExtent(data) ? new ExtentReader(data, buffer) : new StreamReader(data, buffer)
}

class ExtentReader implements TensorReader {
  /** Bytes of the extent that were given. */
  private done = 0
  /** What the buffer holds of the extent: from `begin`, up to `end`. */
  private begin = 0
  private end = 0

  constructor(
    private readonly extent: Extent,
    private readonly buffer: Uint8Array,
  ) {}

  async take(count: number): Promise<Uint8Array> {
    if (this.done + count > this.end || this.done < this.begin) await this.fill(count)
    const at = this.done - this.begin
    this.done += count
    return this.buffer.subarray(at, at + count)
  }

  async skip(count: number): Promise<void> {
    this.done += count
  }

  async close(): Promise<void> {
    // Nothing is open here but the file, which is not ours.
  }

  private async fill(least: number): Promise<void> {
    const { handle, position, length } = this.extent
    const part = this.buffer.subarray(0, Math.max(least, Math.min(this.buffer.length, length - this.done)))
    await readExactly(handle, part, position + this.done)
    this.begin = this.done
    this.end = this.done + part.length
  }
}

class StreamReader implements TensorReader {
  private readonly chunks: AsyncGenerator<Uint8Array>
  private chunk = new Uint8Array(0)
  private given = 0

  constructor(
    private readonly data: Exclude<TensorData, Extent>,
    private readonly buffer: Uint8Array,
  ) {
    this.chunks = data.read(data.length, buffer.length)
  }

  async take(count: number): Promise<Uint8Array> {
    const into = this.buffer.subarray(0, count)
    for (let filled = 0; filled < count;) {
      const part = await this.some(count - filled)
      into.set(part, filled)
      filled += part.length
    }
    return into
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) left -= (await this.some(left)).length
  }

  async close(): Promise<void> {
    await this.chunks.return(undefined)
  }

  private async some(most: number): Promise<Uint8Array> {
    while (this.chunk.length === 0) {
      const next = await this.chunks.next()
      if (next.done === true) throw new FormatError(`a tensor gave ${this.given} of its ${this.data.length} bytes`)
      this.chunk = next.value as Uint8Array<ArrayBuffer>
    }
    const part = this.chunk.subarray(0, most)
    this.chunk = this.chunk.subarray(part.length)
    this.given += part.length
    return part
  }
}
