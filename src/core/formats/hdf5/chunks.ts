/** The chunks of a dataset, by their places, and how each is unpacked (specification, III.A, IV.A.2.l). */
import { FormatError } from '../../errors.js'
import { unpackLzf } from '../lzf.js'
import { unpackZlib } from '../unpack-zlib.js'
import type { Hdf5Source } from './bytes.js'
import type { Hdf5Dataset, Hdf5Filter } from './dataset.js'
import { readTreeNode } from './groups.js'

export interface Hdf5Chunk {
  /** In elements. */
  readonly offsets: readonly number[]
  readonly position: number
  /** Bytes in the file. */
  readonly size: number
  /** A bit for each filter that was not used. */
  readonly mask: number
}

const mostChunks = 1 << 20
const deepestTree = 64
/** Bytes of one chunk; h5py makes them of up to 1 MB. */
export const largestChunk = 1 << 26

/** In the order of the file. Throws FormatError. */
export async function chunksOfDataset(source: Hdf5Source, { layout, shape }: Hdf5Dataset): Promise<Hdf5Chunk[]> {
  const chunks: Hdf5Chunk[] = []
  if (layout.kind !== 'chunked' || layout.tree === null) return chunks
  const rank = shape.length
  const visit = async (address: number, depth: number): Promise<void> => {
    if (depth > deepestTree) throw new FormatError('hdf5: a tree of chunks that is deeper than any')
    const { level, children } = await readTreeNode(source, address, 1, 8 + 8 * (rank + 1))
    for (const { key, child } of children) {
      if (level > 0) await visit(child, depth + 1)
      else {
        const size = key.u32()
        const mask = key.u32()
        const offsets = Array.from({ length: rank }, () => key.uint(8))
        if (chunks.length >= mostChunks) throw key.fail(`more than ${mostChunks} chunks`)
        chunks.push({ offsets, position: child, size, mask })
      }
    }
  }
  await visit(layout.tree, 0)
  return chunks
}

const [deflate, shuffle, checksum, lzf] = [1, 2, 3, 32000]
const known: ReadonlySet<number> = new Set([deflate, shuffle, checksum, lzf])

/** Others, by the numbers that the HDF Group registered; what h5repack has without a plugin. */
const others: ReadonlyMap<number, string> = new Map([
  [4, 'szip'],
  [5, 'nbit'],
  [6, 'scaleoffset'],
  [32001, 'Blosc'],
  [32004, 'LZ4'],
  [32008, 'bitshuffle'],
  [32013, 'ZFP'],
  [32015, 'Zstandard'],
  [32026, 'Blosc2'],
])
const firstPlugin = 256

/** Throws FormatError `refused` where a filter is not known. */
export function requireKnown(filters: readonly Hdf5Filter[], what: string): void {
  const other = filters.find(({ id }) => !known.has(id))
  if (other === undefined) return
  const name = others.get(other.id)
  const shown = name === undefined ? String(other.id) : `${other.id} (${name})`
  throw new FormatError(
    `hdf5: ${what} is packed by filter ${shown}, which is not read (deflate, lzf, shuffle, fletcher32)`,
    {
      code: 'refused',
      hint: `rewrite it without a filter: ${other.id < firstPlugin ? 'h5repack -f NONE FILE NEW' : 'h5repack -f NONE FILE NEW, with the plugin of the filter; or h5py, with hdf5plugin imported'}`,
    },
  )
}

/** `length` is what it unpacks to. Throws FormatError. */
export async function unpackChunk(
  packed: Uint8Array,
  filters: readonly Hdf5Filter[],
  { mask, position }: Hdf5Chunk,
  itemSize: number,
  length: number,
): Promise<Uint8Array> {
  let bytes = packed
  for (let index = filters.length - 1; index >= 0; index -= 1) {
    const id = filters[index]?.id
    if ((mask & (1 << index)) !== 0) continue
    if (id === deflate) bytes = await inflated(bytes, length, position)
    else if (id === lzf) bytes = unlzf(bytes, length + 4, position)
    else if (id === shuffle) bytes = unshuffled(bytes, itemSize)
    else if (id === checksum) bytes = withoutChecksum(bytes, position)
  }
  if (bytes.length === length) return bytes
  throw new FormatError(`hdf5: the chunk at byte ${position} unpacks to ${bytes.length} bytes, and has ${length}`, {
    offset: position,
  })
}

async function inflated(bytes: Uint8Array, length: number, position: number): Promise<Uint8Array> {
  try {
    return await unpackZlib(bytes, length + 4)
  } catch (error) {
    throw new FormatError(`hdf5: the chunk at byte ${position} cannot be unpacked: ${String(error)}`, {
      cause: error,
      offset: position,
    })
  }
}

/** `most` bytes, as a checksum may lie behind the values. */
function unlzf(bytes: Uint8Array, most: number, position: number): Uint8Array {
  try {
    return unpackLzf(bytes, most)
  } catch (error) {
    throw new FormatError(`hdf5: the chunk at byte ${position} cannot be unpacked: ${String(error)}`, {
      cause: error,
      offset: position,
    })
  }
}

/** First the first bytes of all elements, then the second ones, … */
function unshuffled(bytes: Uint8Array, itemSize: number): Uint8Array {
  const count = Math.floor(bytes.length / itemSize)
  const out = Uint8Array.from(bytes)
  for (let byte = 0; byte < itemSize; byte += 1) {
    for (let item = 0; item < count; item += 1) out[item * itemSize + byte] = bytes[byte * count + item] ?? 0
  }
  return out
}

/** Fletcher's checksum of 32 bits over numbers of 16, behind the bytes (H5checksum.c). */
function withoutChecksum(bytes: Uint8Array, position: number): Uint8Array {
  const end = bytes.length - 4
  if (end < 0) throw new FormatError(`hdf5: the chunk at byte ${position} is too short for its checksum`)
  const data = bytes.subarray(0, end)
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end, 4).getUint32(0, true)
  const sum = fletcher32(data)
  if (sum === stored) return data
  throw new FormatError(
    `hdf5: the chunk at byte ${position} has the checksum ${hex(sum)}, and ${hex(stored)} is written behind it`,
    { offset: position },
  )
}

function fletcher32(data: Uint8Array): number {
  let [low, high] = [0, 0]
  for (let at = 0; at < data.length; at += 2) {
    low = folded(low + (((data[at] ?? 0) << 8) | (data[at + 1] ?? 0)))
    high = folded(high + low)
  }
  return ((high << 16) | low) >>> 0
}

/** Modulo 65535, but never from something to 0. */
function folded(sum: number): number {
  return (sum & 0xffff) + (sum >>> 16)
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}
