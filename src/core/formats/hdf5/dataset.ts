/** Datasets: shape, type of the elements, and where they lie (specification, IV.A.2.b, d, i, l). */
import type { Hdf5Bytes } from './bytes.js'
import { messageType, type Hdf5Message } from './header.js'

export interface Hdf5Type {
  /** numpy's name: `float32`; null where it holds no numbers. */
  readonly name: string | null
  /** For people. */
  readonly text: string
  /** Bytes of one element. */
  readonly size: number
  readonly littleEndian: boolean
}

export interface Hdf5Filter {
  readonly id: number
  readonly values: readonly number[]
}

export interface ChunkedLayout {
  readonly kind: 'chunked'
  readonly index: ChunkIndex
  /** In elements. */
  readonly chunk: readonly number[]
  /** Chunks that overhang the shape are not packed. */
  readonly leavesEdges: boolean
}

/** How it is known where the chunks lie, and where that begins; no address: nothing was ever written. */
export interface ChunkIndex {
  readonly kind: 'tree' | 'single' | 'all together' | 'fixed array' | 'extensible array' | 'tree of version 2'
  readonly address: number | null
  /** Bytes of a single one in the file, where the file gives them, and the filters that it was not packed by. */
  readonly size?: number
  readonly mask?: number
}

export type Hdf5Layout =
  | { readonly kind: 'compact'; readonly data: Uint8Array }
  /** No address: nothing was ever written. */
  | { readonly kind: 'contiguous'; readonly address: number | null; readonly size: number }
  | ChunkedLayout
  | { readonly kind: 'other'; readonly text: string }

export interface Hdf5Dataset {
  readonly shape: readonly number[]
  /** How far each axis can grow; Infinity for one without an end. */
  readonly most: readonly number[]
  readonly type: Hdf5Type
  readonly layout: Hdf5Layout
  readonly filters: readonly Hdf5Filter[]
  /** What elements have that were never written; null for zero. */
  readonly fill: Uint8Array | null
}

/** Null for an object that is not a dataset. Throws FormatError. */
export function readDataset(messages: readonly Hdf5Message[]): Hdf5Dataset | null {
  const of = (type: number): Hdf5Bytes | undefined => messages.find((one) => one.type === type)?.data
  const [space, type, layout] = [of(messageType.dataspace), of(messageType.datatype), of(messageType.layout)]
  if (space === undefined || type === undefined || layout === undefined) return null
  const filters = of(messageType.filters)
  const isOutside = of(messageType.externalFiles) !== undefined
  const fillData = of(messageType.fillValue)
  const fill = fillData === undefined ? null : readFill(fillData)
  const elements = readType(type)
  if (fill !== null && fill.length !== elements.size) {
    throw layout.fail(`a fill value of ${fill.length} bytes for elements of ${elements.size}`)
  }
  return {
    ...readShape(space),
    type: elements,
    filters: filters === undefined ? [] : readFilters(filters),
    layout: isOutside ? outside : readLayout(layout, filters !== undefined),
    fill,
  }
}

/** Its layout has no address, as that of a dataset which was never written. */
const outside: Hdf5Layout = { kind: 'other', text: 'values in other files (external storage)' }

const mostDimensions = 32

function readShape(data: Hdf5Bytes): Pick<Hdf5Dataset, 'shape' | 'most'> {
  const version = data.u8()
  const rank = data.u8()
  if (rank > mostDimensions) throw data.fail(`${rank} dimensions`)
  const hasMost = (data.u8() & 1) !== 0
  const kind = version === 1 ? (data.skip(5), rank === 0 ? 0 : 1) : data.u8()
  if (kind === 2) return { shape: [0], most: [0] }
  const shape = Array.from({ length: rank }, () => data.length())
  return { shape, most: hasMost ? Array.from({ length: rank }, () => data.lengthOrEndless()) : shape }
}

const integers = new Set([1, 2, 4, 8])

function readType(data: Hdf5Bytes): Hdf5Type {
  const kind = data.u8() & 0x0f
  const bits = data.u8()
  data.skip(2)
  const size = data.u32()
  const littleEndian = (bits & 1) === 0
  if (kind === 0 && integers.has(size)) {
    return typed(`${bits & 8 ? 'int' : 'uint'}${8 * size}`, size, littleEndian)
  }
  if (kind === 1) return readFloat(data, size, littleEndian)
  // h5py writes ml_dtypes' bfloat16 as two bytes without a meaning.
  if (kind === 5 && size === 2) return typed('bfloat16', 2, true)
  if (kind === 8 && size === 1 && bits === 2 && isOfTruth(data)) return typed('bool', 1, true)
  if (kind === 6 && (size === 8 || size === 16) && bits === 2) return readComplex(data, size)
  return { name: null, text: kinds[kind] ?? `kind ${kind}`, size, littleEndian }
}

/** h5py writes numpy's bool as an enum of the two. */
function isOfTruth(data: Hdf5Bytes): boolean {
  const members = Buffer.from(data.some(data.left)).toString('latin1')
  return members.includes('FALSE\0') && members.includes('TRUE\0')
}

const kinds = [
  'integers',
  'floats',
  'times',
  'texts',
  'bits',
  'bytes',
  'records',
  'references',
  'enums',
  'lists',
  'arrays',
]

function typed(name: string, size: number, littleEndian: boolean): Hdf5Type {
  return { name, text: name, size, littleEndian }
}

/** IEEE 754 by where exponent and fraction lie. */
function readFloat(data: Hdf5Bytes, size: number, littleEndian: boolean): Hdf5Type {
  data.skip(4)
  const exponentAt = data.u8()
  const exponent = data.u8()
  data.skip(1)
  const fraction = data.u8()
  const form = [size, exponent, fraction].join(' ')
  const name = new Map([
    ['2 5 10', 'float16'],
    ['2 8 7', 'bfloat16'],
    ['4 8 23', 'float32'],
    ['8 11 52', 'float64'],
    ['1 4 3', 'float8_e4m3fn'],
    ['1 5 2', 'float8_e5m2'],
  ]).get(form)
  const isPlain = name !== undefined && exponentAt === fraction
  return { name: isPlain ? name : null, text: `floats of ${8 * size} bits`, size, littleEndian }
}

/** As h5py writes complex numbers: a record of `r` and `i`. Their types are not looked at further than their size. */
function readComplex(data: Hdf5Bytes, size: number): Hdf5Type {
  const names = Buffer.from(data.bytes).toString('latin1')
  const isComplex = /^.{8}r\0/s.test(names) && names.includes('i\0')
  const name = isComplex ? `complex${8 * size}` : null
  return { name, text: name ?? 'records', size, littleEndian: true }
}

function readFilters(data: Hdf5Bytes): Hdf5Filter[] {
  const version = data.u8()
  const count = data.u8()
  if (version === 1) data.skip(6)
  return Array.from({ length: count }, () => {
    const id = data.u16()
    const nameLength = version === 1 || id >= 256 ? data.u16() : 0
    data.skip(2)
    const values = data.u16()
    data.skip(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength)
    const filter = { id, values: Array.from({ length: values }, () => data.u32()) }
    if (version === 1 && values % 2 === 1) data.skip(4)
    return filter
  })
}

function readFill(data: Hdf5Bytes): Uint8Array | null {
  const version = data.u8()
  if (version === 3) {
    const flags = data.u8()
    return (flags & 0x20) === 0 ? null : unlessZero(data.some(data.u32()))
  }
  data.skip(2)
  const isDefined = data.u8() !== 0
  return version < 2 || isDefined ? unlessZero(data.some(data.left >= 4 ? data.u32() : 0)) : null
}

function unlessZero(bytes: Uint8Array): Uint8Array | null {
  return bytes.every((byte) => byte === 0) ? null : Uint8Array.from(bytes)
}

function readLayout(data: Hdf5Bytes, isFiltered: boolean): Hdf5Layout {
  const version = data.u8()
  if (version === 3 || version === 4) return readNewLayout(data, version, isFiltered)
  if (version > 4) return { kind: 'other', text: `version ${version} of a layout` }
  const rank = data.u8()
  const kind = data.u8()
  data.skip(5)
  const address = kind === 0 ? null : data.address()
  const sizes = Array.from({ length: rank }, () => data.u32())
  if (kind === 0) return { kind: 'compact', data: data.some(data.u32()) }
  if (kind === 1) return { kind: 'contiguous', address, size: sizes.reduce((product, size) => product * size, 1) }
  return { kind: 'chunked', index: { kind: 'tree', address }, chunk: sizes.slice(0, -1), leavesEdges: false }
}

function readNewLayout(data: Hdf5Bytes, version: number, isFiltered: boolean): Hdf5Layout {
  const kind = data.u8()
  if (kind === 0) return { kind: 'compact', data: data.some(data.u16()) }
  if (kind === 1) return { kind: 'contiguous', address: data.address(), size: data.length() }
  if (kind !== 2) return { kind: 'other', text: 'a virtual dataset' }
  if (version === 3) {
    const rank = data.u8()
    const index = { kind: 'tree', address: data.address() } as const
    const chunk = Array.from({ length: rank }, () => data.u32()).slice(0, -1)
    return { kind: 'chunked', index, chunk, leavesEdges: false }
  }
  return readChunkIndex(data, isFiltered)
}

/** Flags of a layout of version 4. */
const edgesAsTheyAre = 1
const singleIsPacked = 2
/** By the number of the index, bytes of its settings before the address; what they say stands in its own head too. */
const chunkIndexes: ReadonlyMap<number, readonly [kind: ChunkIndex['kind'], settings: number]> = new Map([
  [1, ['single', 0]],
  [2, ['all together', 0]],
  [3, ['fixed array', 1]],
  [4, ['extensible array', 5]],
  [5, ['tree of version 2', 6]],
])

function readChunkIndex(data: Hdf5Bytes, isFiltered: boolean): Hdf5Layout {
  const flags = data.u8()
  const rank = data.u8()
  const width = data.u8()
  const chunk = Array.from({ length: rank }, () => data.uint(width)).slice(0, -1)
  const number = data.u8()
  const [kind, settings] = chunkIndexes.get(number) ?? []
  if (kind === undefined || settings === undefined)
    return { kind: 'other', text: `chunks in an index of kind ${number}` }
  data.skip(settings)
  const isPacked = kind === 'single' && isFiltered && (flags & singleIsPacked) !== 0
  const packed = isPacked ? { size: data.length(), mask: data.u32() } : {}
  const index = { kind, address: data.address(), ...packed }
  return { kind: 'chunked', index, chunk, leavesEdges: (flags & edgesAsTheyAre) !== 0 }
}
