/** A safetensors file, with the tensors and the metadata of its header. */
import { parseHeader, prefixLength, readHeaderLength, SafetensorsError } from '../../formats/safetensors/safetensors.js'
import type { SafetensorsEntry, SafetensorsHeader } from '../../formats/safetensors/safetensors.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'
import { partsOfOne } from './dcp-sharding-info.js'
import { ensureSame, readExactly } from './tensor.js'
import type { Extent, TensorFile, TensorInfo } from './tensor.js'

/** Reads the header of an open file. Throws SafetensorsError, with the path in its message. */
export async function openSafetensors(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  try {
    return new SafetensorsFile(handle, stat, await readHeader(handle))
  } catch (error) {
    throw error instanceof SafetensorsError ? error.in(handle.path) : error
  }
}

async function readHeader(handle: ReadHandle): Promise<SafetensorsHeader> {
  const prefix = new Uint8Array(Math.min(prefixLength, handle.size))
  await readExactly(handle, prefix, 0)
  const header = new Uint8Array(readHeaderLength(prefix, handle.size))
  await readExactly(handle, header, prefixLength)
  return parseHeader(header, handle.size)
}

interface SafetensorsTensor extends TensorInfo {
  readonly begin: number
}

class SafetensorsFile implements TensorFile {
  readonly format = 'safetensors'
  readonly path: string
  readonly byteLength: number
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: readonly SafetensorsTensor[]
  readonly findings: readonly string[]
  readonly values = null
  readonly composites: ReadonlyMap<string, string>
  readonly unsafe = []
  readonly opaque: ReadonlyMap<string, number> = new Map()
  private readonly headExtent: Extent
  private readonly begins: ReadonlyMap<string, number>

  constructor(
    private readonly handle: ReadHandle,
    private readonly opened: Stat,
    header: SafetensorsHeader,
  ) {
    this.path = handle.path
    this.byteLength = handle.size
    this.metadata = header.metadata
    this.tensors = withNoted(header.tensors.map(toTensor), header.metadata)
    this.composites = partsOfOne(this)
    const [part] = this.composites
    this.findings =
      part === undefined ? header.findings : [...header.findings, `${JSON.stringify(part[0])} is ${part[1]}`]
    this.headExtent = { handle, position: 0, length: header.dataStart }
    this.begins = new Map(this.tensors.map(({ name, begin }) => [name, begin]))
  }

  head(): Extent {
    return this.headExtent
  }

  async dataOf(tensor: TensorInfo): Promise<Extent> {
    const position = this.begins.get(tensor.name)
    if (position === undefined) throw new RangeError(`${this.path} has no tensor ${tensor.name}`)
    return { handle: this.handle, position, length: tensor.bytes }
  }

  locationOf({ name, shared = name }: TensorInfo): string {
    return shared
  }

  async ensureUnchanged(): Promise<void> {
    await ensureSame(this.handle, this.opened)
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/**
 * Of tied weights one has the data, and a note in the metadata says of each other name which one that is (safetensors:
 * bindings/python/py_src/safetensors/torch.py, `save_model`).
 */
function withNoted(
  tensors: readonly SafetensorsTensor[],
  metadata: ReadonlyMap<string, string>,
): readonly SafetensorsTensor[] {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const noted = [...metadata].flatMap(([name, shared]): SafetensorsTensor[] => {
    const kept = byName.get(shared)
    return kept === undefined || name === 'format' || byName.has(name) ? [] : [{ ...kept, name, shared, noted: true }]
  })
  if (noted.length === 0) return tensors
  const kept = new Set(noted.map(({ shared }) => shared))
  return [...tensors.map((one) => (kept.has(one.name) ? { ...one, shared: one.name } : one)), ...noted]
}

function toTensor({ name, dtype, shape, begin, end }: SafetensorsEntry): SafetensorsTensor {
  return { name, dtype, shape, bytes: end - begin, begin }
}
