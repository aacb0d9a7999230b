/**
 * TensorFlow's V2 checkpoints: what the entries of `NAME.index` say of the tensors in `NAME.data-00000-of-0000N`
 * (tensorflow/core/protobuf/tensor_bundle.proto, util/tensor_bundle/tensor_bundle.cc).
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { fieldsOf, signed, type ProtoField } from '../protobuf/protobuf.js'
import { dtypeOf, type TensorFlowDtype } from './dtypes.js'
import { sliceKeyOf, type SliceExtent } from './slice-key.js'
import { entriesOfTable } from './table.js'

/** Where bytes lie in the data files, and their masked CRC-32C. */
export interface BundlePart {
  readonly shard: number
  /** Bytes. */
  readonly offset: number
  readonly size: number
  readonly crc32c: number
}

export interface BundleSlice extends BundlePart {
  readonly extents: readonly SliceExtent[]
}

export interface BundleTensor {
  readonly name: string
  readonly dtype: TensorFlowDtype
  readonly shape: readonly number[]
  /** Of a tensor in one piece. */
  readonly part: BundlePart | null
  /** Of a partitioned variable: pieces that lie by themselves; else empty. */
  readonly slices: readonly BundleSlice[]
}

export interface Bundle {
  readonly shards: number
  /** False when each number's bytes must be turned round. */
  readonly littleEndian: boolean
  readonly tensors: readonly BundleTensor[]
}

/** Tensors of one checkpoint; the largest models have some ten thousand. */
const mostTensors = 2_000_000

/** Reads a `.index` file. Throws FormatError, also where a slice of a variable is not there. */
export async function readBundle(source: ByteSource): Promise<Bundle> {
  let header: { shards: number; littleEndian: boolean } | undefined
  const entries = new Map<string, RawEntry>()
  const pieces = new Map<string, BundlePart>()
  for await (const { key, value } of entriesOfTable(source)) {
    if (header === undefined) {
      if (key.length > 0) throw new FormatError('the index does not begin with a header')
      header = readHeader(value)
      continue
    }
    if (entries.size + pieces.size >= mostTensors) throw new FormatError(`more than ${mostTensors} tensors`)
    const entry = readEntry(value)
    if (key[0] === 0) pieces.set(Buffer.from(key).toString('latin1'), entry.part)
    else entries.set(nameOf(key), entry)
  }
  if (header === undefined) throw new FormatError('the index has no entries')
  const { shards } = header
  return { ...header, tensors: [...entries].map(([name, entry]) => tensorOf(name, entry, pieces, shards)) }
}

/** Where the data lies: beside the index, `prefix` is its path without `.index`. */
export function dataFileOf(prefix: string, shard: number, shards: number): string {
  const five = (value: number) => String(value).padStart(5, '0')
  return `${prefix}.data-${five(shard)}-of-${five(shards)}`
}

const strict = new TextDecoder('utf-8', { fatal: true })

function nameOf(key: Uint8Array): string {
  try {
    return strict.decode(key)
  } catch (error) {
    throw new FormatError('a name that is not UTF-8', { cause: error })
  }
}

function readHeader(value: Uint8Array): { shards: number; littleEndian: boolean } {
  let [shards, endianness] = [0, 0]
  for (const { field, number } of fieldsOf(value)) {
    if (field === 1 && number !== null) shards = Number(number)
    if (field === 2 && number !== null) endianness = Number(number)
  }
  if (shards < 1 || shards > 100_000) throw new FormatError(`the header says that there are ${shards} data files`)
  return { shards, littleEndian: endianness === 0 }
}

interface RawEntry {
  readonly dtype: number
  readonly shape: readonly number[]
  readonly part: BundlePart
  readonly slices: readonly (readonly SliceExtent[])[]
}

function readEntry(value: Uint8Array): RawEntry {
  let [dtype, shard, offset, size, crc32c] = [0, 0, 0, 0, 0]
  let shape: readonly number[] = []
  const slices: SliceExtent[][] = []
  for (const one of fieldsOf(value)) {
    if (one.field === 1) dtype = countIn(one)
    else if (one.field === 2) shape = readShape(bytesIn(one))
    else if (one.field === 3) shard = countIn(one)
    else if (one.field === 4) offset = countIn(one)
    else if (one.field === 5) size = countIn(one)
    else if (one.field === 6) crc32c = countIn(one)
    else if (one.field === 7) slices.push(readExtents(bytesIn(one)))
  }
  return { dtype, shape, part: { shard, offset, size, crc32c }, slices }
}

function readShape(bytes: Uint8Array): number[] {
  const shape: number[] = []
  for (const one of fieldsOf(bytes)) {
    if (one.field !== 2) continue
    let size = 0
    for (const inner of fieldsOf(bytesIn(one))) if (inner.field === 1) size = countIn(inner)
    shape.push(size)
  }
  return shape
}

/** TensorSliceProto: an extent without a length is all of its axis. */
function readExtents(bytes: Uint8Array): SliceExtent[] {
  const extents: SliceExtent[] = []
  for (const one of fieldsOf(bytes)) {
    if (one.field !== 1) continue
    let [start, length] = [0, -1]
    for (const inner of fieldsOf(bytesIn(one))) {
      if (inner.field === 1) start = countIn(inner)
      if (inner.field === 2) length = countIn(inner)
    }
    extents.push({ start, length })
  }
  return extents
}

function countIn({ field, number }: ProtoField): number {
  const value = number === null ? null : signed(number)
  if (value === null || value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError(`field ${field} of an entry is ${value}, and a count is expected`)
  }
  return Number(value)
}

function bytesIn({ field, bytes }: ProtoField): Uint8Array {
  if (bytes === null) throw new FormatError(`field ${field} of an entry is a number, and bytes are expected`)
  return bytes
}

function tensorOf(
  name: string,
  { dtype: number, shape, part, slices }: RawEntry,
  pieces: ReadonlyMap<string, BundlePart>,
  shards: number,
): BundleTensor {
  const dtype = dtypeOf(number)
  const found = slices.map((extents): BundleSlice => {
    const piece = pieces.get(sliceKeyOf(name, extents))
    if (piece === undefined) {
      throw new FormatError(`${JSON.stringify(name)} has a slice ${describe(extents)} that is not in the index`)
    }
    if (extents.length !== shape.length) {
      throw new FormatError(`${JSON.stringify(name)} has a slice of ${extents.length} of its ${shape.length} axes`)
    }
    return { ...piece, extents: extents.map((extent, axis) => inside(name, extent, shape[axis] ?? 0)) }
  })
  for (const one of found.length === 0 ? [part] : found) {
    if (one.shard < shards) continue
    throw new FormatError(`${JSON.stringify(name)} lies in data file ${one.shard}, and there are ${shards}`)
  }
  for (const one of found)
    requireSize(
      name,
      dtype,
      one.extents.map(({ length }) => length),
      one.size,
    )
  if (found.length === 0) requireSize(name, dtype, shape, part.size)
  return { name, dtype, shape, part: found.length === 0 ? part : null, slices: found }
}

function inside(name: string, { start, length }: SliceExtent, size: number): SliceExtent {
  const whole = length === -1 ? size - start : length
  if (start + whole <= size && whole >= 0) return { start, length: whole }
  throw new FormatError(`${JSON.stringify(name)} has a slice of ${whole} from ${start} on an axis of ${size}`)
}

function requireSize(name: string, dtype: TensorFlowDtype, shape: readonly number[], size: number): void {
  if (dtype.bits === 0) return
  const expected = shape.reduce((product, length) => product * length, dtype.bits) / 8
  if (expected === size) return
  throw new FormatError(`${JSON.stringify(name)} has ${size} bytes, and its dtype and shape make ${expected}`)
}

function describe(extents: readonly SliceExtent[]): string {
  return extents.map(({ start, length }) => (length === -1 ? '-' : `${start},${length}`)).join(':')
}
