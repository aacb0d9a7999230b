/** How far two tensors of one shape are apart. */
import type { Dtype } from '../../formats/safetensors/safetensors.js'
import { createCast } from '../read/cast.js'

export interface Distance {
  /** Of the elements that are numbers on both sides; 0 where there are none. */
  readonly max: number
  readonly mean: number
  /** Of the angle between both; 1 for the same direction, null where one of them is all zeros. */
  readonly cosine: number | null
  /** Elements that are NaN on one side only, or infinite on one side or in another direction. */
  readonly unequalSpecials: number
  /** All elements are equal; NaN equals NaN. */
  readonly equal: boolean
}

export interface DistanceMeter {
  /** The same count of elements of each; at most the capacity. */
  readonly add: (a: Uint8Array, b: Uint8Array) => void
  readonly finish: () => Distance
}

/** Sums are kept in float64. Complex numbers are taken as their two parts. */
export function createDistanceMeter(a: Dtype, b: Dtype, capacity: number): DistanceMeter {
  const decodeA = toDoubles(a, capacity)
  const decodeB = toDoubles(b, capacity)
  const sums = { max: 0, total: 0, count: 0, dot: 0, squareA: 0, squareB: 0, specials: 0, differing: 0 }
  return {
    add: (bytesA, bytesB) => measure(sums, decodeA(bytesA), decodeB(bytesB)),
    finish: () => ({
      max: sums.max,
      mean: sums.count === 0 ? 0 : sums.total / sums.count,
      cosine: cosineOf(sums),
      unequalSpecials: sums.specials,
      equal: sums.differing === 0,
    }),
  }
}

interface Sums {
  max: number
  total: number
  count: number
  dot: number
  squareA: number
  squareB: number
  specials: number
  differing: number
}

function cosineOf({ dot, squareA, squareB }: Sums): number | null {
  const length = Math.sqrt(squareA) * Math.sqrt(squareB)
  return length === 0 ? null : Math.max(-1, Math.min(1, dot / length))
}

function toDoubles(dtype: Dtype, capacity: number): (bytes: Uint8Array) => Float64Array | Float32Array {
  if (dtype === 'F32' || dtype === 'C64') {
    return (bytes) => {
      const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
      return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
    }
  }
  const cast = createCast(dtype, 'F64', capacity)
  return (bytes) => {
    const wide = cast(bytes)
    return new Float64Array(wide.buffer, wide.byteOffset, wide.length / 8)
  }
}

type Values = Float64Array | Float32Array

function measure(sums: Sums, a: Values, b: Values): void {
  let { max, total, dot, squareA, squareB } = sums
  let differing = 0
  for (let i = 0; i < a.length; i += 1) {
    const x = a[i] ?? 0
    const y = b[i] ?? 0
    const distance = Math.abs(x - y)
    // NaN and infinities are looked at one by one.
    if (!(distance < Infinity) || !(Math.abs(x) < Infinity)) {
      if (!isSame(x, y)) {
        sums.specials += 1
        differing += 1
      }
      continue
    }
    sums.count += 1
    if (distance !== 0) differing += 1
    if (distance > max) max = distance
    total += distance
    dot += x * y
    squareA += x * x
    squareB += y * y
  }
  Object.assign(sums, { max, total, dot, squareA, squareB, differing: sums.differing + differing })
}

function isSame(x: number, y: number): boolean {
  return x === y || (Number.isNaN(x) && Number.isNaN(y))
}
