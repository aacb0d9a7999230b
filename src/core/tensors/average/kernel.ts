/** Sums of tensors, element by element, in one of two precisions. */
import type { Dtype } from '../../formats/safetensors/safetensors.js'
import type { CastLosses } from '../read/cast-losses.js'
import { createCast, type Cast } from '../read/cast.js'

export type Precision = 'float32' | 'float64'

/** A sum of chunks of at most `capacity` elements. */
export interface Accumulator {
  /** Begins anew with these elements. */
  readonly start: (source: Uint8Array, from: Dtype, weight: number) => void
  readonly add: (source: Uint8Array, from: Dtype, weight: number) => void
  /** The sum divided, in the dtype, and how many of the quotients are NaN; valid until the next call. */
  readonly divide: (by: number) => { readonly bytes: Uint8Array; readonly nan: number }
}

/**
 * In float32 each product, sum and quotient is rounded to float32, as torch's own are: `sum += x`, then `sum / n`
 * (PyTorch: aten/src/ATen/native/cpu/BinaryOpsKernel.cpp; SpeechBrain: speechbrain/utils/checkpoints.py,
 * `average_state_dicts`). What the last rounding to the dtype loses is added to `losses`. A sum or quotient of two float32 in double and rounded once is the same to the last bit.
 */
export function createAccumulator(
  dtype: Dtype,
  precision: Precision,
  capacity: number,
  losses?: CastLosses,
): Accumulator {
  // Complex numbers are added and divided as their parts; nothing is gained by losing half of the digits of F64.
  const to = dtype === 'C64' ? 'F32' : dtype
  const isSingle = precision === 'float32' && to !== 'F64'
  const size = dtype === 'C64' ? 2 * capacity : capacity
  const wide: Dtype = isSingle ? 'F32' : 'F64'
  const sums = isSingle ? new Float32Array(size) : new Float64Array(size)
  const decoders = new Map<Dtype, Decoder>()
  const encode: Cast = wide === to ? (bytes) => bytes : createCast(wide, to, size, losses)
  let count = 0
  const decode = (source: Uint8Array, from: Dtype): Values => {
    const known = decoders.get(from) ?? decoderOf(from === 'C64' ? 'F32' : from, wide, size)
    decoders.set(from, known)
    return known(source)
  }
  return {
    start(source, from, weight) {
      const values = decode(source, from)
      count = values.length
      if (weight === 1) sums.set(values)
      else scale(sums, values, isSingle ? Math.fround(weight) : weight)
    },
    add(source, from, weight) {
      const values = decode(source, from)
      if (weight === 1) addPlain(sums, values)
      else if (isSingle) addSingles(sums, values, Math.fround(weight))
      else addWeighted(sums, values, weight)
    },
    divide(by) {
      const nan = divideAll(sums, count, isSingle ? Math.fround(by) : by)
      return { bytes: encode(new Uint8Array(sums.buffer, 0, count * sums.BYTES_PER_ELEMENT)), nan }
    },
  }
}

type Decoder = (source: Uint8Array) => Values

type Values = Float32Array | Float64Array

/** Elements as numbers of which no digit is lost. */
function decoderOf(from: Dtype, wide: Dtype, capacity: number): Decoder {
  if (from === 'F32') return (source) => viewOf(Float32Array, source)
  if (from === 'F64') return (source) => viewOf(Float64Array, source)
  const cast = createCast(from, wide, capacity)
  return wide === 'F32'
    ? (source) => viewOf(Float32Array, cast(source))
    : (source) => viewOf(Float64Array, cast(source))
}

function viewOf<T extends Values>(
  type: { new (buffer: ArrayBufferLike, offset: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
  bytes: Uint8Array,
): T {
  const size = type.BYTES_PER_ELEMENT
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice()
  return new type(aligned.buffer, aligned.byteOffset, aligned.length / size)
}

function scale(sums: Values, values: Values, weight: number): void {
  for (let i = 0; i < values.length; i += 1) sums[i] = weight * (values[i] ?? 0)
}

function addPlain(sums: Values, values: Values): void {
  // A loop for each kind of array, so that each is compiled for that kind alone.
  if (sums instanceof Float32Array && values instanceof Float32Array) addFloat32(sums, values)
  else addAny(sums, values)
}

function addFloat32(sums: Float32Array, values: Float32Array): void {
  for (let i = 0; i < values.length; i += 1) sums[i] = (sums[i] ?? 0) + (values[i] ?? 0)
}

function addAny(sums: Values, values: Values): void {
  for (let i = 0; i < values.length; i += 1) sums[i] = (sums[i] ?? 0) + (values[i] ?? 0)
}

/** The product is rounded before it is added. */
function addSingles(sums: Values, values: Values, weight: number): void {
  for (let i = 0; i < values.length; i += 1) sums[i] = (sums[i] ?? 0) + Math.fround(weight * (values[i] ?? 0))
}

function addWeighted(sums: Values, values: Values, weight: number): void {
  for (let i = 0; i < values.length; i += 1) sums[i] = (sums[i] ?? 0) + weight * (values[i] ?? 0)
}

/** Gives how many are NaN. */
function divideAll(sums: Values, count: number, by: number): number {
  let nan = 0
  for (let i = 0; i < count; i += 1) {
    const quotient = (sums[i] ?? 0) / by
    sums[i] = quotient
    // Without a jump the loop is a quarter faster.
    nan += Number.isNaN(quotient) ? 1 : 0
  }
  return nan
}
