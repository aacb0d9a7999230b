/**
 * Casts between dtypes as torch's `copy_` does on an x86-64 CPU (PyTorch: c10/util/TypeCast.h; measured with torch
 * 1.13, and read in torch 2 for what 1.13 lacks). Rounding is to nearest even; NaN and infinities stay; what is
 * narrower than float32 is reached through float32, also from float64; float to integer truncates; integers wrap.
 */
import { CkptError } from '../../errors.js'
import { bitsOf, isDtype } from '../../formats/safetensors/safetensors.js'
import type { Dtype } from '../../formats/safetensors/safetensors.js'
import { lossCounterFor, type CastLosses } from './cast-losses.js'
import { decodingTable, encodePower, encoderOf, powerTable, smallFloats } from './small-float.js'

/** Casts up to the capacity's count of elements; the bytes that it gives are valid until it is called again. */
export type Cast = (source: Uint8Array) => Uint8Array

/** True when torch has a cast between the two. It has none for dtypes below a byte. */
export function canCast(from: string, to: string): boolean {
  return from === to || (isDtype(from) && isDtype(to) && decoders.has(from) && encoders.has(to))
}

/**
 * A cast of chunks of at most `capacity` elements; what it loses is added to `losses`. Throws CkptError `refused` when
 * torch has no such cast.
 */
export function createCast(from: Dtype, to: Dtype, capacity: number, losses?: CastLosses): Cast {
  const decode = decoders.get(from)
  const encode = encoders.get(to)
  if (decode === undefined || encode === undefined) throw new CkptError('refused', `no cast from ${from} to ${to}`)
  ensureLittleEndian()
  const lanes = createLanes(capacity)
  const sourceBytes = bitsOf[from] / 8
  const targetBytes = bitsOf[to] / 8
  const output = new Uint8Array(capacity * targetBytes)
  const countLosses = losses === undefined ? undefined : lossCounterFor(to)
  return (source) => {
    const count = source.length / sourceBytes
    const into = output.subarray(0, count * targetBytes)
    decode(aligned(source), lanes, count)
    encode(lanes, into, count)
    if (losses !== undefined) countLosses?.(lanes.values, into, count, losses)
    return into
  }
}

/**
 * Elements between decoding and encoding. `values` holds all but 64-bit integers exactly; these are rounded in it
 * once, in `values` to double and in `singles` to what float32 makes of them, and exact in `low` and `high`.
 */
interface Lanes {
  readonly values: Float64Array
  readonly singles: Float32Array
  /** The bits of `singles`. */
  readonly bits: Uint32Array
  readonly imaginary: Float32Array
  readonly low: Int32Array
  readonly high: Int32Array
  kind: 'float' | 'complex' | 'int' | 'wide'
  /** Of a wide integer. */
  signed: boolean
}

function createLanes(capacity: number): Lanes {
  const singles = new Float32Array(capacity)
  return {
    values: new Float64Array(capacity),
    singles,
    bits: new Uint32Array(singles.buffer),
    imaginary: new Float32Array(capacity),
    low: new Int32Array(capacity),
    high: new Int32Array(capacity),
    kind: 'float',
    signed: true,
  }
}

type Decoder = (bytes: Uint8Array, lanes: Lanes, count: number) => void
type Encoder = (lanes: Lanes, bytes: Uint8Array, count: number) => void
type NumberArray =
  Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array
type View<T> = new (buffer: ArrayBufferLike, offset: number, length: number) => T

const decoders: ReadonlyMap<Dtype, Decoder> = new Map<Dtype, Decoder>([
  ['BOOL', decodeBool],
  ['U8', decodePlain(Uint8Array, 'int')],
  ['I8', decodePlain(Int8Array, 'int')],
  ['I16', decodePlain(Int16Array, 'int')],
  ['U16', decodePlain(Uint16Array, 'int')],
  ['I32', decodePlain(Int32Array, 'int')],
  ['U32', decodePlain(Uint32Array, 'int')],
  ['I64', decodeWide(true)],
  ['U64', decodeWide(false)],
  ['F32', decodePlain(Float32Array, 'float')],
  ['F64', decodePlain(Float64Array, 'float')],
  ['C64', decodeComplex],
  ['F16', decodeByTable(Uint16Array, () => decodingTable(smallFloats.F16))],
  ['BF16', decodeByTable(Uint16Array, () => decodingTable(smallFloats.BF16))],
  ['F8_E5M2', decodeByTable(Uint8Array, () => decodingTable(smallFloats.F8_E5M2))],
  ['F8_E4M3', decodeByTable(Uint8Array, () => decodingTable(smallFloats.F8_E4M3))],
  ['F8_E5M2FNUZ', decodeByTable(Uint8Array, () => decodingTable(smallFloats.F8_E5M2FNUZ))],
  ['F8_E4M3FNUZ', decodeByTable(Uint8Array, () => decodingTable(smallFloats.F8_E4M3FNUZ))],
  ['F8_E8M0', decodeByTable(Uint8Array, powerTable)],
])

const encoders: ReadonlyMap<Dtype, Encoder> = new Map<Dtype, Encoder>([
  ['BOOL', encodeBool],
  ['U8', encodeInteger(Uint8Array, wrapThrough64)],
  ['I8', encodeInteger(Int8Array, truncateTo32)],
  ['I16', encodeInteger(Int16Array, truncateTo32)],
  ['U16', encodeInteger(Uint16Array, truncateTo32)],
  ['I32', encodeInteger(Int32Array, truncateTo32)],
  ['U32', encodeInteger(Uint32Array, wrapThrough64)],
  ['I64', encodeWide(false)],
  ['U64', encodeWide(true)],
  ['F32', encodeSingle],
  ['F64', encodeDouble],
  ['C64', encodeComplex],
  ['F16', encodeBits(Uint16Array, encoderOf(smallFloats.F16))],
  ['BF16', encodeBits(Uint16Array, encoderOf(smallFloats.BF16))],
  ['F8_E5M2', encodeBits(Uint8Array, encoderOf(smallFloats.F8_E5M2))],
  ['F8_E4M3', encodeBits(Uint8Array, encoderOf(smallFloats.F8_E4M3))],
  ['F8_E5M2FNUZ', encodeBits(Uint8Array, encoderOf(smallFloats.F8_E5M2FNUZ))],
  ['F8_E4M3FNUZ', encodeBits(Uint8Array, encoderOf(smallFloats.F8_E4M3FNUZ))],
  ['F8_E8M0', encodeBits(Uint8Array, encodePower)],
])

function view<T>(type: View<T>, bytes: Uint8Array, length: number): T {
  return new type(bytes.buffer, bytes.byteOffset, length)
}

/** Typed arrays need their elements at multiples of their size. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
}

function decodePlain(type: View<NumberArray>, kind: 'int' | 'float'): Decoder {
  return (bytes, lanes, count) => {
    lanes.kind = kind
    lanes.values.set(view(type, bytes, count))
  }
}

function decodeBool(bytes: Uint8Array, lanes: Lanes, count: number): void {
  lanes.kind = 'int'
  for (let i = 0; i < count; i += 1) lanes.values[i] = bytes[i] === 0 ? 0 : 1
}

function decodeByTable(type: View<Uint8Array | Uint16Array>, makeTable: () => Float32Array): Decoder {
  let table: Float32Array | undefined
  return (bytes, lanes, count) => {
    table ??= makeTable()
    const codes = view(type, bytes, count)
    lanes.kind = 'float'
    for (let i = 0; i < count; i += 1) lanes.values[i] = table[codes[i] ?? 0] ?? NaN
  }
}

function decodeComplex(bytes: Uint8Array, lanes: Lanes, count: number): void {
  const parts = view(Float32Array, bytes, 2 * count)
  lanes.kind = 'complex'
  for (let i = 0; i < count; i += 1) {
    lanes.values[i] = parts[2 * i] ?? NaN
    lanes.imaginary[i] = parts[2 * i + 1] ?? NaN
  }
}

function decodeWide(signed: boolean): Decoder {
  return (bytes, lanes, count) => {
    const words = view(Int32Array, bytes, 2 * count)
    lanes.kind = 'wide'
    lanes.signed = signed
    for (let i = 0; i < count; i += 1) {
      lanes.low[i] = words[2 * i] ?? 0
      lanes.high[i] = words[2 * i + 1] ?? 0
    }
  }
}

/** A 64-bit integer as a double, rounded once: the product is exact, the sum rounds. */
function wideValue({ low, high, signed }: Lanes, i: number): number {
  const top = high[i] ?? 0
  return (signed ? top : top >>> 0) * 2 ** 32 + ((low[i] ?? 0) >>> 0)
}

/**
 * A 64-bit integer as a double that rounds to the same float32 as the integer itself: the low 12 bits, which float32
 * is too coarse for, become one sticky bit, so that the sum is exact and nothing is rounded twice.
 */
function wideForSingle({ low, high, signed }: Lanes, i: number): number {
  const top = signed ? (high[i] ?? 0) : (high[i] ?? 0) >>> 0
  const bottom = (low[i] ?? 0) >>> 0
  if (top >= -0x200000 && top < 0x200000) return top * 2 ** 32 + bottom
  const rest = bottom % 0x1000
  return top * 2 ** 32 + (bottom - rest + (rest === 0 ? 0 : 0x800))
}

/** Rounds to float32, the way to everything narrower. */
function toSingles(lanes: Lanes, count: number): Float32Array {
  if (lanes.kind === 'wide') for (let i = 0; i < count; i += 1) lanes.values[i] = wideForSingle(lanes, i)
  lanes.singles.set(lanes.values.subarray(0, count))
  return lanes.singles
}

function encodeSingle(lanes: Lanes, bytes: Uint8Array, count: number): void {
  view(Float32Array, bytes, count).set(toSingles(lanes, count).subarray(0, count))
}

/** Rounded to doubles, by which losses are counted too. */
function wideToValues(lanes: Lanes, count: number): void {
  if (lanes.kind === 'wide') for (let i = 0; i < count; i += 1) lanes.values[i] = wideValue(lanes, i)
}

function encodeDouble(lanes: Lanes, bytes: Uint8Array, count: number): void {
  wideToValues(lanes, count)
  view(Float64Array, bytes, count).set(lanes.values.subarray(0, count))
}

function encodeComplex(lanes: Lanes, bytes: Uint8Array, count: number): void {
  const singles = toSingles(lanes, count)
  const parts = view(Float32Array, bytes, 2 * count)
  for (let i = 0; i < count; i += 1) {
    parts[2 * i] = singles[i] ?? NaN
    parts[2 * i + 1] = 0
  }
}

function encodeBits(type: View<Uint8Array | Uint16Array>, encode: (float32: number) => number): Encoder {
  return (lanes, bytes, count) => {
    toSingles(lanes, count)
    const codes = view(type, bytes, count)
    for (let i = 0; i < count; i += 1) codes[i] = encode(lanes.bits[i] ?? 0)
  }
}

/** Nonzero is true; so is NaN, and a complex number with an imaginary part. */
function encodeBool(lanes: Lanes, bytes: Uint8Array, count: number): void {
  const { kind, values, imaginary, low, high } = lanes
  for (let i = 0; i < count; i += 1) {
    if (kind === 'wide') bytes[i] = low[i] === 0 && high[i] === 0 ? 0 : 1
    else bytes[i] = values[i] === 0 && (kind !== 'complex' || imaginary[i] === 0) ? 0 : 1
  }
}

/** Integers wrap; floats are brought to 32 bits by `truncate` first, whose low bits are then kept. */
function encodeInteger(type: View<NumberArray>, truncate: (value: number) => number): Encoder {
  return (lanes, bytes, count) => {
    const { kind, values, low } = lanes
    const integers = view(type, bytes, count)
    wideToValues(lanes, count)
    if (kind === 'wide') integers.set(low.subarray(0, count))
    else if (kind === 'int') for (let i = 0; i < count; i += 1) integers[i] = (values[i] ?? 0) | 0
    else for (let i = 0; i < count; i += 1) integers[i] = truncate(values[i] ?? 0)
  }
}

/** x86's `cvttsd2si` to 32 bits: out of range and NaN give the most negative integer. */
function truncateTo32(value: number): number {
  return value > -2147483649 && value < 2147483648 ? value | 0 : -0x80000000
}

/** The low 32 bits of `cvttsd2si` to 64 bits, by which torch goes to unsigned dtypes. */
function wrapThrough64(value: number): number {
  return value >= -(2 ** 63) && value < 2 ** 63 ? value | 0 : 0
}

function encodeWide(unsigned: boolean): Encoder {
  return (lanes, bytes, count) => {
    const { kind, values, low, high } = lanes
    const words = view(Int32Array, bytes, 2 * count)
    wideToValues(lanes, count)
    for (let i = 0; i < count; i += 1) {
      if (kind === 'wide') {
        words[2 * i] = low[i] ?? 0
        words[2 * i + 1] = high[i] ?? 0
      } else {
        writeWide(words, 2 * i, Math.trunc(values[i] ?? 0), unsigned)
      }
    }
  }
}

/** A whole double as 64 bits. Out of range, x86 gives 2^63, and compilers 0 for an unsigned result above it. */
function writeWide(words: Int32Array, at: number, value: number, unsigned: boolean): void {
  if (!(value >= -(2 ** 63) && value < (unsigned ? 2 ** 64 : 2 ** 63))) {
    words[at] = 0
    words[at + 1] = unsigned && value > 0 ? 0 : -0x80000000
    return
  }
  const top = Math.floor(value / 2 ** 32)
  words[at] = value - top * 2 ** 32
  words[at + 1] = top
}

function ensureLittleEndian(): void {
  const first = new Uint8Array(new Uint16Array([1]).buffer)[0]
  if (first !== 1) throw new CkptError('system', 'casting tensors needs a little-endian machine')
}
