/** An array of Zarr, put together from its chunks. */
import { FormatError } from '../../errors.js'
import { packedStrides } from '../../formats/bytes/elements.js'
import type { ZarrArray, ZarrCodec } from '../../formats/tensorstore/zarr.js'
import { countOf, joinBoxes, type FilledBox } from './sharded-tensor.js'
import type { TensorData } from './extent.js'
import { gather } from './gather-strided.js'
import type { ListedTensor } from './listed-file.js'
import { bytesFrom, heldBytes, type StorageBytes } from './storage-bytes.js'
import { nameOfTorchDtype, numberSize } from './torch-dtypes.js'
import { turned } from './big-endian.js'
import { unpackWhole, withoutChecksum } from './unpack-chunks.js'

/** The bytes at a key below an array's; null where nothing is. */
export type ReadChunk = (key: string) => Promise<StorageBytes | null>

const mostChunks = 1 << 20

export function listZarr(name: string, array: ZarrArray, read: ReadChunk): ListedTensor {
  const { shape, type } = array
  const bytes = countOf(shape) * type.size
  if (!Number.isSafeInteger(bytes)) throw new FormatError(`${JSON.stringify(name)} has the shape [${shape.join(', ')}]`)
  const open = async (): Promise<TensorData> => {
    const data = joinBoxes(shape, type.size, await boxesOf(name, array, read))
    return type.littleEndian ? data : turned(data, numberSize(type.name, type.size))
  }
  return { name, dtype: nameOfTorchDtype(type.name), shape, bytes, open }
}

async function boxesOf(name: string, array: ZarrArray, read: ReadChunk): Promise<FilledBox[]> {
  const { shape, chunk, shard } = array
  const boxes: FilledBox[] = []
  for (const index of gridOf(name, shape, chunk)) {
    const offsets = index.map((number, axis) => number * (chunk[axis] ?? 1))
    const value = await read(array.keyOf(index))
    if (value === null || shard === null) {
      const sizes = chunk.map((size, axis) => Math.min(size, (shape[axis] ?? 0) - (offsets[axis] ?? 0)))
      boxes.push({ offsets, sizes, open: () => chunkOf(name, array, value, chunk, sizes, array.codecs) })
    } else boxes.push(...(await innerBoxes(name, array, value, offsets)))
  }
  return boxes
}

/** The keys of all its chunks, but for an array of which those that are zero may be left out. Throws FormatError. */
export function chunkKeys(name: string, array: ZarrArray): string[] {
  return array.isZeroFilled && array.hasFill
    ? []
    : gridOf(name, array.shape, array.chunk).map((index) => array.keyOf(index))
}

/** The numbers of all chunks along each axis. */
function gridOf(name: string, shape: readonly number[], chunk: readonly number[]): number[][] {
  if (shape.includes(0)) return []
  const counts = shape.map((size, axis) => Math.ceil(size / (chunk[axis] ?? 0)))
  const count = countOf(counts)
  if (!(count <= mostChunks))
    throw new FormatError(`${JSON.stringify(name)} has ${count} chunks, and at most ${mostChunks} are read`)
  return Array.from({ length: count }, (_, number) => {
    let left = number
    return counts.map((__, axis) => {
      const below = countOf(counts.slice(axis + 1))
      const at = Math.floor(left / below)
      left -= at * below
      return at
    })
  })
}

/** Of the index of a shard: where each of its chunks lies, the whole file's bits for one that is not there. */
async function innerBoxes(
  name: string,
  array: ZarrArray,
  value: StorageBytes,
  start: readonly number[],
): Promise<FilledBox[]> {
  const { shape, chunk, shard } = array
  if (shard === null) return []
  const counts = chunk.map((size, axis) => size / (shard.chunk[axis] ?? 1))
  const count = countOf(counts)
  const size = 16 * count + (shard.hasChecksum ? 4 : 0)
  if (!Number.isInteger(count) || count > mostChunks || size > value.length) {
    throw new FormatError(`${JSON.stringify(name)} has ${count} chunks in one of ${value.length} bytes`)
  }
  const stored = await value.read(value.length - size, size)
  const index = shard.hasChecksum ? withoutChecksum(stored) : stored
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength)
  const boxes: FilledBox[] = []
  for (const [number, cell] of gridOf(name, chunk, shard.chunk).entries()) {
    const offsets = cell.map((one, axis) => (start[axis] ?? 0) + one * (shard.chunk[axis] ?? 1))
    const sizes = shard.chunk.map((length, axis) => Math.min(length, (shape[axis] ?? 0) - (offsets[axis] ?? 0)))
    if (sizes.some((length) => length <= 0)) continue
    const [offset, length] = [view.getBigUint64(16 * number, true), view.getBigUint64(16 * number + 8, true)]
    const bytes = offset === missing ? null : partOf(name, value, offset, length)
    boxes.push({ offsets, sizes, open: () => chunkOf(name, array, bytes, shard.chunk, sizes, shard.codecs) })
  }
  return boxes
}

const missing = 2n ** 64n - 1n

function partOf(name: string, value: StorageBytes, offset: bigint, length: bigint): StorageBytes {
  if (offset + length > BigInt(value.length)) {
    throw new FormatError(`${JSON.stringify(name)} has a chunk of ${length} bytes at ${offset} of ${value.length}`)
  }
  return { ...bytesFrom(value, Number(offset)), length: Number(length) }
}

async function chunkOf(
  name: string,
  { type, isFortran, isZeroFilled }: ZarrArray,
  value: StorageBytes | null,
  chunk: readonly number[],
  sizes: readonly number[],
  codecs: readonly ZarrCodec[],
): Promise<TensorData> {
  const length = countOf(sizes) * type.size
  if (value === null) {
    if (!isZeroFilled) throw new FormatError(`${JSON.stringify(name)} has a chunk that is not there, and is not zero`)
    return { length, read: (count, size) => zeros(count, size) }
  }
  const whole = countOf(chunk) * type.size
  const isWhole = chunk.every((size, axis) => size === sizes[axis]) && !isFortran
  if (codecs.length === 0 && isWhole) {
    if (value.length !== whole)
      throw new FormatError(`${JSON.stringify(name)} has a chunk of ${value.length} bytes, not ${whole}`)
    const extent = await value.extent()
    if (extent !== null) return { ...extent, length }
  }
  const bytes = heldBytes(await unpackWhole(value, codecs, whole))
  const view = { offset: 0, shape: sizes, strides: packedStrides(chunk, isFortran ? 'F' : 'C'), itemSize: type.size }
  return { length, read: (count, size) => (isWhole ? bytes.stream(0, count, size) : gather(bytes, view, count, size)) }
}

async function* zeros(length: number, chunk: number): AsyncGenerator<Uint8Array> {
  const bytes = new Uint8Array(Math.min(length, chunk))
  for (let done = 0; done < length; done += bytes.length) yield bytes.subarray(0, Math.min(bytes.length, length - done))
}
