/** The chunks of a dataset, by their cells, and how each is unpacked (specification, III.A, IV.A.2.l). */
import { FormatError } from '../../errors.js'
import { unpackLzf } from '../compression/lzf.js'
import { unpackZlib } from '../compression/zlib.js'
import type { Hdf5Bytes, Hdf5Source } from './bytes.js'
import { openExtensibleArray, openFixedArray, type EntryArray } from './chunk-arrays.js'
import type { ChunkedLayout, Hdf5Dataset, Hdf5Filter } from './dataset.js'
import { readTreeNode } from './groups.js'
import { visitTree2 } from './tree2.js'

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

/** Those that were written, in the order of the index. Throws FormatError. */
export async function chunksOfDataset(
  source: Hdf5Source,
  dataset: Hdf5Dataset,
  layout: ChunkedLayout,
): Promise<Hdf5Chunk[]> {
  const { kind, address } = layout.index
  const { length: rank } = dataset.shape
  if (address === null) return []
  if (layout.chunk.length !== rank || layout.chunk.includes(0)) {
    throw new FormatError(`hdf5: chunks of [${layout.chunk.join(', ')}] for the shape [${dataset.shape.join(', ')}]`)
  }
  const all = { source, dataset, layout, address, rank }
  switch (kind) {
    case 'tree':
      return inTree(all)
    case 'tree of version 2':
      return inSecondTree(all)
    case 'single':
      return byNumber(all, async (number) => Promise.resolve(number === 0 ? onlyChunk(all) : null))
    case 'all together':
      return byNumber(all, async (number) => Promise.resolve(written(address + number * bytesOf(all), bytesOf(all))))
    case 'fixed array':
      return inArray(all, await openFixedArray(source, address))
    case 'extensible array':
      return inArray(all, await openExtensibleArray(source, address))
  }
}

interface Looking {
  readonly source: Hdf5Source
  readonly dataset: Hdf5Dataset
  readonly layout: ChunkedLayout
  readonly address: number
  readonly rank: number
}

type Written = Omit<Hdf5Chunk, 'offsets'>

function written(position: number, size: number, mask = 0): Written {
  return { position, size, mask }
}

/** Unpacked. */
function bytesOf({ dataset, layout }: Looking): number {
  return layout.chunk.reduce((product, size) => product * size, dataset.type.size)
}

function onlyChunk(all: Looking): Written {
  const { size = bytesOf(all), mask } = all.layout.index
  return written(all.address, size, mask)
}

async function inTree({ source, address: root, rank }: Looking): Promise<Hdf5Chunk[]> {
  const chunks: Hdf5Chunk[] = []
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
  await visit(root, 0)
  return chunks
}

const [plainChunks, packedChunks] = [10, 11]

/** Of a dataset that grows along several axes. Cells are counted in chunks. */
async function inSecondTree(all: Looking): Promise<Hdf5Chunk[]> {
  const { source, dataset, layout, address, rank } = all
  const chunks: Hdf5Chunk[] = []
  const isPacked = dataset.filters.length > 0
  await visitTree2(source, address, isPacked ? packedChunks : plainChunks, (record) => {
    if (chunks.length >= mostChunks) throw record.fail(`more than ${mostChunks} chunks`)
    const chunk = readEntry(record, all, record.left - 8 * rank)
    const offsets = layout.chunk.map((size) => record.uint(8) * size)
    if (chunk !== null) chunks.push({ offsets, ...chunk })
  })
  return chunks
}

/** An address, and of what is packed its size and the filters that it was not packed by. */
function readEntry(entry: Hdf5Bytes, all: Looking, size: number): Written | null {
  const position = entry.address()
  if (all.dataset.filters.length === 0) return position === null ? null : written(position, bytesOf(all))
  const packed = entry.uint(size - all.source.offsetSize - 4)
  const mask = entry.u32()
  return position === null ? null : written(position, packed, mask)
}

async function inArray(all: Looking, { at, size }: EntryArray): Promise<Hdf5Chunk[]> {
  return byNumber(all, async (number) => {
    const entry = await at(number)
    return entry === null ? null : readEntry(entry, all, size)
  })
}

/** Chunks by their number, as all that the dataset can ever have are counted, the last axis fastest. */
async function byNumber(all: Looking, chunkAt: (number: number) => Promise<Written | null>): Promise<Hdf5Chunk[]> {
  const { dataset, layout } = all
  const strides = cellStrides(dataset.most, layout.chunk)
  const chunks: Hdf5Chunk[] = []
  for (const cell of cellsOf(dataset.shape, layout.chunk)) {
    const chunk = await chunkAt(cell.reduce((sum, one, axis) => sum + one * (strides[axis] ?? 0), 0))
    if (chunk !== null) chunks.push({ offsets: offsetsOf(cell, layout.chunk), ...chunk })
  }
  return chunks
}

export function offsetsOf(cell: readonly number[], chunk: readonly number[]): number[] {
  return cell.map((one, axis) => one * (chunk[axis] ?? 1))
}

/** Where the chunks of such a shape are, counted in chunks, the last axis fastest. Throws FormatError for too many. */
export function* cellsOf(shape: readonly number[], chunk: readonly number[]): Generator<readonly number[]> {
  const counts = shape.map((size, axis) => Math.ceil(size / (chunk[axis] ?? 1)))
  const count = counts.reduce((product, one) => product * one, 1)
  if (count > mostChunks) throw new FormatError(`hdf5: ${count} chunks, and at most ${mostChunks} are read`)
  const cell = shape.map(() => 0)
  for (let done = 0; done < count; done += 1) {
    yield cell
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      cell[axis] = (cell[axis] ?? 0) + 1
      if ((cell[axis] ?? 0) < (counts[axis] ?? 0)) break
      cell[axis] = 0
    }
  }
}

/** An axis that grows without an end is the slowest, wherever it stands (H5D__earray_idx_get_addr). */
function cellStrides(most: readonly number[], chunk: readonly number[]): number[] {
  const strides = most.map(() => 0)
  const endless = most.indexOf(Infinity)
  let stride = 1
  for (let axis = most.length - 1; axis >= 0; axis -= 1) {
    if (axis === endless) continue
    strides[axis] = stride
    stride *= Math.ceil((most[axis] ?? 0) / (chunk[axis] ?? 1))
  }
  if (endless !== -1) strides[endless] = stride
  return strides
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
