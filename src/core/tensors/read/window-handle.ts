/** A part of a file, read as a file. */
import type { ReadHandle, Stat } from '../../storage/storage.js'

/** A part of an open file as a file of its own: for formats that lie one behind the other in one file. */
export class WindowHandle implements ReadHandle {
  readonly path: string

  /** `start` and `size` are bytes. */
  constructor(
    private readonly file: ReadHandle,
    readonly start: number,
    readonly size: number,
  ) {
    this.path = file.path
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const part = into.subarray(0, Math.max(0, Math.min(into.length, this.size - position)))
    return this.file.read(part, this.start + position)
  }

  stat(): Promise<Stat> {
    return this.file.stat()
  }

  async close(): Promise<void> {
    // The file is not ours.
  }
}

/** A part of a file of which nothing else is kept: the window closes it. */
export class OwningWindow extends WindowHandle {
  constructor(
    private readonly whole: ReadHandle,
    start: number,
    size: number,
  ) {
    super(whole, start, size)
  }

  override async close(): Promise<void> {
    await this.whole.close()
  }
}
