/** A file of which earlier scans have read parts: it is opened when another part is asked for. */
import type { ScanMemory } from '../../storage/memory/scan-memory.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'

export class RememberingHandle implements ReadHandle {
  private file: ReadHandle | null = null

  /** `seen` is the file as the scan saw it. */
  constructor(
    readonly path: string,
    private readonly seen: Stat,
    private readonly memory: ScanMemory,
    private readonly openFile: () => Promise<ReadHandle>,
  ) {}

  get size(): number {
    return this.file?.size ?? this.seen.size
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const known = this.file === null ? this.memory.part(this.path, this.seen, position, into.length) : null
    if (known !== null) {
      into.set(known)
      return known.length
    }
    const file = await this.opened()
    const count = await file.read(into, position)
    if (file.size === this.seen.size) this.memory.keep(this.path, this.seen, position, into.subarray(0, count))
    return count
  }

  private async opened(): Promise<ReadHandle> {
    return (this.file ??= await this.openFile())
  }

  async stat(): Promise<Stat> {
    return (await this.opened()).stat()
  }

  async close(): Promise<void> {
    await this.file?.close()
  }
}
