/** A file seen through another: what is not about its tensors is that of the whole, which is closed with it. */
import { headerFor } from './header.js'
import type { TensorData, TensorFile, TensorInfo } from './tensor.js'

export abstract class FileView implements TensorFile {
  readonly format: string
  readonly shardFormat: string | undefined
  readonly path: string
  readonly byteLength: number
  readonly values = null
  readonly findings: readonly string[]
  readonly unsafe: readonly string[]
  readonly opaque: ReadonlyMap<string, number>
  abstract readonly tensors: readonly TensorInfo[]
  abstract readonly composites: ReadonlyMap<string, string>

  constructor(
    protected readonly whole: TensorFile,
    readonly metadata: ReadonlyMap<string, string> = whole.metadata,
  ) {
    this.format = whole.format
    this.shardFormat = whole.shardFormat
    this.path = whole.path
    this.byteLength = whole.byteLength
    this.findings = whole.findings
    this.unsafe = whole.unsafe
    this.opaque = whole.opaque
  }

  abstract locationOf(tensor: TensorInfo): string | undefined

  abstract dataOf(tensor: TensorInfo): Promise<TensorData>

  head(): Uint8Array {
    return headerFor(this)
  }

  async ensureUnchanged(): Promise<void> {
    await this.whole.ensureUnchanged()
  }

  async close(): Promise<void> {
    await this.whole.close()
  }
}
