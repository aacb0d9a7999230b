/** What a cast loses beyond digits: values that the narrower dtype has no number for. */
import type { Dtype } from '../../formats/safetensors/safetensors.js'
import { decodingTable, powerTable, saturationOf, smallFloats } from './small-float.js'

/** Counts of values that were not so before. */
export interface CastLosses {
  infinite: number
  nan: number
  zero: number
  /**
   * Became another number: what an integer has no room for wraps around, infinities and NaN are cut to one, and what
   * F8_E4M3 has no room for is its largest number.
   */
  wrapped: number
}

/** Those of one tensor. */
export interface TensorLosses extends Readonly<CastLosses> {
  readonly name: string
  readonly from: Dtype
  /** The dtype written. */
  readonly to: Dtype
}

export function noLosses(): CastLosses {
  return { infinite: 0, nan: 0, zero: 0, wrapped: 0 }
}

export function hasLosses({ infinite, nan, zero, wrapped }: CastLosses): boolean {
  return infinite + nan + zero + wrapped > 0
}

/** Looks at `count` elements of `output`, of which `values` are what they were cast from. */
export type CountLosses = (values: Float64Array, output: Uint8Array, count: number, losses: CastLosses) => void

/** Undefined for a dtype that every number fits into. */
export function lossCounterFor(to: Dtype): CountLosses | undefined {
  if (to === 'F32') return countSingles
  const whole = wholes.get(to)
  if (whole !== undefined) return countWholes(whole)
  const table = tables.get(to)
  if (table === undefined) return undefined
  const count = countByKind(to === 'F16' || to === 'BF16', table)
  return to === 'F8_E4M3' ? alsoCounting(countSaturated(table), count) : count
}

const tables: ReadonlyMap<Dtype, () => Float32Array> = new Map<Dtype, () => Float32Array>([
  ...(Object.entries(smallFloats) as [Dtype, (typeof smallFloats)['F16']][]).map(
    ([dtype, format]) => [dtype, () => decodingTable(format)] as const,
  ),
  ['F8_E8M0', powerTable],
])

type Whole = new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayLike<number | bigint>

/** Integers: what lies between them is cut off, and what is beyond them wraps around. */
const wholes: ReadonlyMap<Dtype, Whole> = new Map<Dtype, Whole>([
  ['U8', Uint8Array],
  ['I8', Int8Array],
  ['U16', Uint16Array],
  ['I16', Int16Array],
  ['U32', Uint32Array],
  ['I32', Int32Array],
  ['U64', BigUint64Array],
  ['I64', BigInt64Array],
])

/** Integers of 64 bits are compared as doubles, to which both sides were rounded alike. */
function countWholes(type: Whole): CountLosses {
  return (values, output, count, losses) => {
    const wholeValues = new type(output.buffer, output.byteOffset, count)
    for (let i = 0; i < count; i += 1) {
      const before = values[i] ?? 0
      const after = Number(wholeValues[i])
      if (after === before) continue
      if (after === 0) losses.zero += 1
      else if (after !== Math.trunc(before)) losses.wrapped += 1
    }
  }
}

function countSingles(values: Float64Array, output: Uint8Array, count: number, losses: CastLosses): void {
  const singles = new Float32Array(output.buffer, output.byteOffset, count)
  for (let i = 0; i < count; i += 1) {
    const value = singles[i] ?? 0
    if (value === 0 || !Number.isFinite(value)) judge(values[i] ?? 0, value, losses)
  }
}

/** Most codes are plain numbers, and need no second look. */
function countByKind(isWide: boolean, makeTable: () => Float32Array): CountLosses {
  let table: Float32Array | undefined
  return (values, output, count, losses) => {
    const known = (table ??= makeTable())
    const codes = isWide ? new Uint16Array(output.buffer, output.byteOffset, count) : output
    for (let i = 0; i < count; i += 1) {
      const value = known[codes[i] ?? 0] ?? NaN
      if (value === 0 || !Number.isFinite(value)) judge(values[i] ?? 0, value, losses)
    }
  }
}

function alsoCounting(first: CountLosses, second: CountLosses): CountLosses {
  return (values, output, count, losses) => {
    first(values, output, count, losses)
    second(values, output, count, losses)
  }
}

/** What became the largest number and was not nearest to it. */
function countSaturated(makeTable: () => Float32Array): CountLosses {
  const { largest = NaN, limit = NaN } = saturationOf(smallFloats.F8_E4M3) ?? {}
  let table: Float32Array | undefined
  return (values, output, count, losses) => {
    const known = (table ??= makeTable())
    for (let i = 0; i < count; i += 1) {
      if (Math.abs(known[output[i] ?? 0] ?? NaN) === largest) losses.wrapped += Number(Math.abs(values[i] ?? 0) > limit)
    }
  }
}

function judge(before: number, after: number, losses: CastLosses): void {
  if (after === 0) losses.zero += Number(before !== 0)
  else if (Number.isNaN(after)) losses.nan += Number(!Number.isNaN(before))
  else losses.infinite += Number(Number.isFinite(before))
}
