/** HDF5: Keras' `.weights.h5` and what h5py writes (formats/hdf5). */
import { FormatError } from '../../errors.js'
import {
  chunksOfDataset,
  largestChunk,
  offsetsOf,
  cellsOf,
  requireKnown,
  unpackChunk,
  type Hdf5Chunk,
} from '../../formats/hdf5/chunks.js'
import type { ChunkedLayout, Hdf5Dataset } from '../../formats/hdf5/dataset.js'
import { readHdf5, type Hdf5Entry, type Hdf5File } from '../../formats/hdf5/hdf5.js'
import type { PyPair } from '../../formats/python/value.js'
import { packedStrides } from '../../formats/bytes/elements.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle } from '../../storage/storage.js'
import { countOf, findUntiled, joinBoxes, type FilledBox } from './sharded-tensor.js'
import { readExactly, type TensorData } from './extent.js'
import { gather } from './gather-strided.js'
import { ListedFile, onlyFile, type ListedTensor } from './listed-file.js'
import { heldBytes } from './storage-bytes.js'
import type { TensorFile } from './tensor.js'
import { nameOfTorchDtype, numberSize } from './torch-dtypes.js'
import { turned } from './big-endian.js'
import { OwningWindow } from './window-handle.js'

/** Behind a user block of this many bytes. Throws FormatError. */
export async function openBehindUserBlock(handle: ReadHandle, userBlock: number): Promise<TensorFile> {
  return openHdf5(new OwningWindow(handle, userBlock, handle.size - userBlock), undefined, userBlock)
}

/** Reads what describes the datasets of an open file, no values. Throws FormatError. */
export async function openHdf5(
  handle: ReadHandle,
  metadata?: ReadonlyMap<string, string>,
  userBlock = 0,
): Promise<TensorFile> {
  const stat = await handle.stat()
  const file = await readHdf5(sourceOf(handle), userBlock)
  const isPlain = ({ dataset }: Hdf5Entry): boolean => dataset.type.name !== null
  const others = file.entries.filter((entry) => !isPlain(entry))
  return new ListedFile(onlyFile(handle, stat), {
    format: 'hdf5',
    path: handle.path,
    byteLength: handle.size,
    tensors: withShared(file.entries.filter(isPlain)).map((entry) => listed(handle, file, entry)),
    ...(metadata === undefined ? {} : { metadata }),
    findings: findingsOf(file),
    values: others.length === 0 ? null : { kind: 'dict', pairs: others.map(named) },
  })
}

/** Links that are told one by one; of the rest, only their count. */
const mostTold = 8

function findingsOf({ outside }: Hdf5File): string[] {
  const told = outside.slice(0, mostTold).map(({ name, file, path }) => {
    return `${quote(name)} is a link to ${quote(path)} of the file ${quote(file)}, which is not followed`
  })
  const more = outside.length - mostTold
  return more > 0 ? [...told, `${more} more names are links to other files`] : told
}

function named({ path, dataset: { type, shape } }: Hdf5Entry): PyPair {
  return [path, { kind: 'opaque', name: 'h5py.Dataset', repr: `<${type.text} [${shape.join(', ')}]>` }]
}

interface Shared extends Hdf5Entry {
  readonly shared: string | undefined
}

/** A dataset under several names is one parameter. */
function withShared(entries: readonly Hdf5Entry[]): Shared[] {
  const first = new Map<number, string>()
  const several = new Set<number>()
  for (const { address, path } of entries) {
    if (first.has(address)) several.add(address)
    else first.set(address, path)
  }
  return entries.map((entry) => ({
    ...entry,
    shared: several.has(entry.address) ? first.get(entry.address) : undefined,
  }))
}

function listed(handle: ReadHandle, file: Hdf5File, { path, address, dataset, shared }: Shared): ListedTensor {
  const { type, shape } = dataset
  const name = type.name ?? ''
  const bytes = countOf(shape) * type.size
  if (!Number.isSafeInteger(bytes)) throw new FormatError(`hdf5: ${quote(path)} has the shape [${shape.join(', ')}]`)
  requireInside(handle, path, dataset, bytes)
  const open = async (): Promise<TensorData> => {
    const data = await dataOf(handle, file, path, dataset, bytes)
    return type.littleEndian ? data : turned(data, numberSize(name, type.size))
  }
  const info = { name: path, dtype: nameOfTorchDtype(name), shape, bytes, open }
  return shared === undefined ? info : { ...info, shared, location: `dataset ${address}` }
}

function quote(path: string): string {
  return JSON.stringify(path.slice(0, 200))
}

/** A dataset that lies together is there in full; of chunks it is known when they are looked for. */
function requireInside(handle: ReadHandle, path: string, { layout, filters }: Hdf5Dataset, bytes: number): void {
  if (filters.length > 0) requireKnown(filters, quote(path))
  if (layout.kind === 'compact' && layout.data.length < bytes) throw tooShort(path, layout.data.length, bytes)
  if (layout.kind !== 'contiguous' || layout.address === null) return
  if (layout.size < bytes) throw tooShort(path, layout.size, bytes)
  if (layout.address + bytes <= handle.size) return
  throw new FormatError(
    `ends early: ${quote(path)} has ${bytes} bytes from byte ${layout.address} on, and the file has ${handle.size}`,
    { offset: handle.size },
  )
}

function tooShort(path: string, found: number, bytes: number): FormatError {
  return new FormatError(`hdf5: ${quote(path)} has ${found} bytes, and its shape takes ${bytes}`)
}

async function dataOf(
  handle: ReadHandle,
  file: Hdf5File,
  path: string,
  dataset: Hdf5Dataset,
  length: number,
): Promise<TensorData> {
  const { layout } = dataset
  if (length === 0) return { length, read: (count, chunk) => heldBytes(new Uint8Array(0)).stream(0, count, chunk) }
  switch (layout.kind) {
    case 'compact': {
      const { data } = layout
      return { length, read: (count, chunk) => heldBytes(data).stream(0, count, chunk) }
    }
    case 'contiguous':
      return layout.address === null ? unwritten(dataset, length) : { handle, position: layout.address, length }
    case 'chunked':
      return joinChunks(handle, path, dataset, layout, await chunksOfDataset(file.source, dataset, layout))
    case 'other':
      throw new FormatError(`${handle.path}: hdf5: ${quote(path)} has ${layout.text}, and cannot be read`, {
        code: 'refused',
        hint: 'rewrite it in the form that h5py writes by default: h5repack --low=0 --high=0 FILE NEW',
      })
  }
}

/** What was made and never written has its fill value, mostly zero. */
function unwritten({ fill, type }: Hdf5Dataset, length: number): TensorData {
  return {
    length,
    read: async function* (count, chunk) {
      const whole = Math.max(1, Math.floor(Math.min(chunk, length) / type.size)) * type.size
      const values = Buffer.alloc(whole, fill ?? 0)
      for (let done = 0; done < count; done += whole) yield values.subarray(0, Math.min(whole, count - done))
    },
  }
}

function joinChunks(
  handle: ReadHandle,
  path: string,
  dataset: Hdf5Dataset,
  { chunk: chunkShape, leavesEdges }: ChunkedLayout,
  chunks: readonly Hdf5Chunk[],
): TensorData {
  const { shape, type, filters } = dataset
  const chunkBytes = countOf(chunkShape) * type.size
  if (chunkShape.length !== shape.length || chunkBytes > largestChunk || chunkBytes === 0) {
    throw new FormatError(`hdf5: ${quote(path)} has chunks of [${chunkShape.join(', ')}]`)
  }
  const boxes = chunks.map((chunk): FilledBox => {
    const sizes = chunkShape.map((size, axis) => Math.min(size, (shape[axis] ?? 0) - (chunk.offsets[axis] ?? 0)))
    const isPlain = leavesEdges && sizes.some((size, axis) => size < (chunkShape[axis] ?? 0))
    const open = async (): Promise<TensorData> => {
      const packed = new Uint8Array(Math.min(chunk.size, 2 * largestChunk))
      await readExactly(handle, packed, chunk.position)
      const bytes = heldBytes(await unpackChunk(packed, isPlain ? [] : filters, chunk, type.size, chunkBytes))
      const view = { offset: 0, shape: sizes, strides: packedStrides(chunkShape, 'C'), itemSize: type.size }
      return { length: countOf(sizes) * type.size, read: (count, size) => gather(bytes, view, count, size) }
    }
    return { offsets: chunk.offsets, sizes, open }
  })
  // At the edges a chunk reaches beyond the shape, and never begins there.
  if (boxes.some(({ sizes }) => sizes.some((size) => size <= 0))) {
    throw new FormatError(`hdf5: ${quote(path)}: a chunk lies outside`)
  }
  const all = [...boxes, ...unwrittenBoxes(dataset, chunkShape, boxes)]
  const gap = findUntiled(shape, all)
  if (gap !== undefined) throw new FormatError(`hdf5: ${quote(path)}: ${gap}`)
  return joinBoxes(shape, type.size, all)
}

/** Chunks that were never written are in no index. */
function unwrittenBoxes(dataset: Hdf5Dataset, chunkShape: readonly number[], boxes: readonly FilledBox[]): FilledBox[] {
  const { shape, type } = dataset
  const there = new Set(boxes.map(({ offsets }) => offsets.join()))
  const absent: FilledBox[] = []
  for (const cell of cellsOf(shape, chunkShape)) {
    const offsets = offsetsOf(cell, chunkShape)
    if (there.has(offsets.join())) continue
    const sizes = chunkShape.map((size, axis) => Math.min(size, (shape[axis] ?? 0) - (offsets[axis] ?? 0)))
    absent.push({ offsets, sizes, open: async () => Promise.resolve(unwritten(dataset, countOf(sizes) * type.size)) })
  }
  return absent
}
