/** Elements of numpy arrays and torch storages: bytes -> numbers. Both frameworks share the encodings. */

/** One element: bool, integers as bigint, floats as number, strings, bytes, complex as a pair. */
export type NumericElement = boolean | bigint | number | string | Uint8Array | ComplexElement

export interface ComplexElement {
  readonly real: number
  readonly imaginary: number
}

export interface NumericArray {
  readonly dtype: string
  readonly shape: readonly number[]
  /** Row-major; null when there are too many to be listed (more than `maxListedElements`). */
  readonly values: readonly NumericElement[] | null
}

/** Larger arrays are shown by dtype and shape alone: meta is for facts that people read. */
const maxListedElements = 10_000

/** Reads the element that begins at byte `at`. */
export type ElementReader = (view: DataView, at: number, littleEndian: boolean) => NumericElement

export interface ElementType {
  readonly name: string
  /** Bytes of one element. */
  readonly size: number
  readonly read: ElementReader
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** bfloat16: the upper half of a binary32. */
function bfloatToNumber(bits: number): number {
  scratch.setUint32(0, (bits << 16) >>> 0)
  return scratch.getFloat32(0)
}

const scratch = new DataView(new ArrayBuffer(4))

const half: ElementReader = (view, at, little) => halfToNumber(view.getUint16(at, little))
const single: ElementReader = (view, at, little) => view.getFloat32(at, little)
const double: ElementReader = (view, at, little) => view.getFloat64(at, little)

/** A float of 8 bits with `exponentBits` of exponent; `top` says what the largest exponent holds. */
function float8(exponentBits: number, bias: number, top: 'infinity' | 'one-nan' | 'no-negative-zero'): ElementReader {
  const fractionBits = 7 - exponentBits
  const largest = 2 ** exponentBits - 1
  return (view, at) => {
    const bits = view.getUint8(at)
    const sign = bits & 0x80 ? -1 : 1
    const exponent = (bits >> fractionBits) & largest
    const fraction = bits & (2 ** fractionBits - 1)
    if (top === 'no-negative-zero' && bits === 0x80) return NaN
    if (top === 'one-nan' && (bits & 0x7f) === 0x7f) return NaN
    if (top === 'infinity' && exponent === largest) return fraction === 0 ? sign * Infinity : NaN
    if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits)
    return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias)
  }
}

/** Powers of two without sign, 255 is NaN (OCP MX, float8_e8m0fnu). */
const exponentOnly: ElementReader = (view, at) => {
  const bits = view.getUint8(at)
  return bits === 0xff ? NaN : 2 ** (bits - 127)
}

function complexOf(part: (view: DataView, at: number, little: boolean) => number, size: number): ElementReader {
  return (view, at, little) => ({ real: part(view, at, little), imaginary: part(view, at + size / 2, little) })
}

const types: readonly ElementType[] = [
  { name: 'bool', size: 1, read: (view, at) => view.getUint8(at) !== 0 },
  { name: 'int8', size: 1, read: (view, at) => BigInt(view.getInt8(at)) },
  { name: 'uint8', size: 1, read: (view, at) => BigInt(view.getUint8(at)) },
  { name: 'int16', size: 2, read: (view, at, little) => BigInt(view.getInt16(at, little)) },
  { name: 'uint16', size: 2, read: (view, at, little) => BigInt(view.getUint16(at, little)) },
  { name: 'int32', size: 4, read: (view, at, little) => BigInt(view.getInt32(at, little)) },
  { name: 'uint32', size: 4, read: (view, at, little) => BigInt(view.getUint32(at, little)) },
  { name: 'int64', size: 8, read: (view, at, little) => view.getBigInt64(at, little) },
  { name: 'uint64', size: 8, read: (view, at, little) => view.getBigUint64(at, little) },
  { name: 'float16', size: 2, read: half },
  { name: 'bfloat16', size: 2, read: (view, at, little) => bfloatToNumber(view.getUint16(at, little)) },
  { name: 'float32', size: 4, read: single },
  { name: 'float64', size: 8, read: double },
  { name: 'complex32', size: 4, read: complexOf((view, at, little) => halfToNumber(view.getUint16(at, little)), 4) },
  { name: 'complex64', size: 8, read: complexOf((view, at, little) => view.getFloat32(at, little), 8) },
  { name: 'complex128', size: 16, read: complexOf((view, at, little) => view.getFloat64(at, little), 16) },
  { name: 'float8_e5m2', size: 1, read: float8(5, 15, 'infinity') },
  { name: 'float8_e4m3fn', size: 1, read: float8(4, 7, 'one-nan') },
  { name: 'float8_e5m2fnuz', size: 1, read: float8(5, 16, 'no-negative-zero') },
  { name: 'float8_e4m3fnuz', size: 1, read: float8(4, 8, 'no-negative-zero') },
  { name: 'float8_e8m0fnu', size: 1, read: exponentOnly },
]

/** The element types that numpy and torch share, by their common names. */
export const elementTypes: ReadonlyMap<string, ElementType> = new Map(types.map((type) => [type.name, type]))

/** The number of elements of a shape; null when a dimension is not a count, or the product beyond 2^53. */
export function elementCount(shape: readonly number[]): number | null {
  if (shape.some((length) => !Number.isSafeInteger(length) || length < 0)) return null
  if (shape.includes(0)) return 0
  const count = shape.reduce((product, length) => product * length, 1)
  return Number.isSafeInteger(count) ? count : null
}

/** Where the elements of an array lie in its storage. Offset and strides count elements. */
export interface ArrayLayout {
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/**
 * The elements of a strided view in row-major order.
 * Null when there are more than `maxListedElements`; undefined when the view reaches outside of `bytes`.
 */
export function readView(
  bytes: Uint8Array,
  type: ElementType,
  littleEndian: boolean,
  strided: ArrayLayout,
): readonly NumericElement[] | null | undefined {
  const count = elementCount(strided.shape)
  if (count === null || !isInside(bytes.length, type.size, count, strided)) return undefined
  if (count > maxListedElements) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values: NumericElement[] = []
  const index = strided.shape.map(() => 0)
  let at = strided.offset
  while (values.length < count) {
    values.push(type.read(view, at * type.size, littleEndian))
    at += step(index, strided.shape, strided.strides)
  }
  return values
}

/** Moves `index` on by one in row-major order; answers how far that is in elements. */
function step(index: number[], shape: readonly number[], strides: readonly number[]): number {
  let moved = 0
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const next = (index[axis] ?? 0) + 1
    const stride = strides[axis] ?? 0
    if (next < (shape[axis] ?? 0)) {
      index[axis] = next
      return moved + stride
    }
    index[axis] = 0
    moved -= stride * (next - 1)
  }
  return moved
}

function isInside(byteLength: number, size: number, count: number, strided: ArrayLayout): boolean {
  const { offset, shape, strides } = strided
  if (shape.length !== strides.length || !Number.isSafeInteger(offset) || offset < 0) return false
  if (strides.some((stride) => !Number.isSafeInteger(stride) || stride < 0)) return false
  if (count === 0) return true
  const last = shape.reduce((sum, length, axis) => sum + (length - 1) * (strides[axis] ?? 0), offset)
  return Number.isSafeInteger(last) && (last + 1) * size <= byteLength
}

/** Strides in elements of a packed array, the last axis fastest ('C') or the first ('F'). */
export function packedStrides(shape: readonly number[], order: 'C' | 'F'): number[] {
  const axes = shape.map((_, axis) => axis)
  if (order === 'C') axes.reverse()
  const strides = shape.map(() => 0)
  let stride = 1
  for (const axis of axes) {
    strides[axis] = stride
    stride *= shape[axis] ?? 0
  }
  return strides
}
