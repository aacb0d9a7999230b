/** A file whose header lists its tensors, each of which says by itself where its values lie. */
import type { PyValue } from '../../formats/python/value.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'
import type { FileParts } from './file-parts.js'
import { headerFor } from './header.js'
import { ensureSame } from './extent.js'
import type { TensorData, TensorFile, TensorInfo } from './tensor.js'

export interface ListedTensor extends TensorInfo {
  /** Its elements, row-major and little-endian. Throws FormatError where they are broken. */
  readonly open: () => Promise<TensorData>
  /** Where its values lie, as a text: what has the same is the same parameter. Left out: nobody else lies there. */
  readonly location?: string
}

/** The files that are held open. */
export interface OpenFiles {
  /** Throws CkptError `damaged` where one is not what it was. */
  ensureUnchanged(): Promise<void>
  close(): Promise<void>
}

export interface Listing {
  /** Id of the format. */
  readonly format: string
  /** Absolute. */
  readonly path: string
  /** Bytes of all files together. */
  readonly byteLength: number
  readonly tensors: readonly ListedTensor[]
  readonly metadata?: ReadonlyMap<string, string>
  readonly values?: PyValue
  readonly findings?: readonly string[]
  readonly composites?: ReadonlyMap<string, string>
  readonly unsafe?: readonly string[]
  readonly opaque?: ReadonlyMap<string, number>
  readonly parts?: FileParts
}

/** One open file, of which `stat` was taken first. */
export function onlyFile(handle: ReadHandle, stat: Stat): OpenFiles {
  return { ensureUnchanged: () => ensureSame(handle, stat), close: () => handle.close() }
}

export class ListedFile implements TensorFile {
  readonly format: string
  readonly path: string
  readonly byteLength: number
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: readonly TensorInfo[]
  readonly values: PyValue
  readonly findings: readonly string[]
  readonly composites: ReadonlyMap<string, string>
  readonly unsafe: readonly string[]
  readonly opaque: ReadonlyMap<string, number>
  readonly parts?: FileParts
  private readonly byName: ReadonlyMap<string, ListedTensor>

  /** `files` are closed with this one. */
  constructor(
    private readonly files: OpenFiles,
    listing: Listing,
  ) {
    this.format = listing.format
    this.path = listing.path
    this.byteLength = listing.byteLength
    this.metadata = listing.metadata ?? new Map()
    this.tensors = listing.tensors.map(bare)
    this.values = listing.values ?? null
    this.findings = listing.findings ?? []
    this.composites = listing.composites ?? new Map()
    this.unsafe = listing.unsafe ?? []
    this.opaque = listing.opaque ?? new Map()
    if (listing.parts !== undefined) this.parts = listing.parts
    this.byName = new Map(listing.tensors.map((tensor) => [tensor.name, tensor]))
  }

  head(): Uint8Array {
    return headerFor(this)
  }

  locationOf({ name }: TensorInfo): string {
    return this.listed(name).location ?? `tensor ${name}`
  }

  async dataOf({ name }: TensorInfo): Promise<TensorData> {
    return this.listed(name).open()
  }

  private listed(name: string): ListedTensor {
    const tensor = this.byName.get(name)
    if (tensor === undefined) throw new RangeError(`${this.path} has no tensor ${name}`)
    return tensor
  }

  ensureUnchanged(): Promise<void> {
    return this.files.ensureUnchanged()
  }

  close(): Promise<void> {
    return this.files.close()
  }
}

function bare({ name, dtype, shape, bytes, shared }: ListedTensor): TensorInfo {
  return { name, dtype, shape, bytes, ...(shared === undefined ? {} : { shared }) }
}
