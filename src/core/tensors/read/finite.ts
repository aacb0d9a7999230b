/** Values that are not numbers, or endless: what a training run that diverged has saved. */
import type { TensorData } from './tensor.js'
import { chunksOf } from './tensor.js'
import { decodingTable, smallFloats } from './small-float.js'

export interface NonFinite {
  readonly nan: number
  readonly infinite: number
  /** Index of the first of them, row-major. */
  readonly first: number
}

/** Counts in one chunk; the index of its first find, or -1. */
type Scan = (bytes: Uint8Array, tally: Tally) => number

interface Tally {
  nan: number
  infinite: number
}

/** Everything in a dtype that is not here is finite. */
const scans: ReadonlyMap<string, Scan> = new Map<string, Scan>([
  ['F32', scanSingles],
  ['C64', scanSingles],
  ['F64', scanDoubles],
  ['complex128', scanDoubles],
  ['F16', scanHalves(0x7c00)],
  ['BF16', scanHalves(0x7f80)],
  ['F8_E5M2', scanCodes(() => decodingTable(smallFloats.F8_E5M2))],
  ['F8_E4M3', scanCodes(() => decodingTable(smallFloats.F8_E4M3))],
  ['F8_E5M2FNUZ', scanCodes(() => decodingTable(smallFloats.F8_E5M2FNUZ))],
  ['F8_E4M3FNUZ', scanCodes(() => decodingTable(smallFloats.F8_E4M3FNUZ))],
  ['F8_E8M0', scanCodes(() => powersOfTwo)],
])

/** All codes of F8_E8M0 are powers of two, but the last, which is NaN (PyTorch: c10/util/Float8_e8m0fnu.h). */
const powersOfTwo = Float32Array.from({ length: 256 }, (_, code) => (code === 255 ? NaN : 1))

export function canBeNonFinite(dtype: string): boolean {
  return scans.has(dtype)
}

/**
 * The values of a tensor that are not finite; null when all are. Reads in bounded memory. A complex value counts once
 * for each of its parts, and by its index. `onBytes` gets the size of each part that was read.
 */
export async function findNonFinite(
  dtype: string,
  data: TensorData,
  onBytes: (count: number) => void,
): Promise<NonFinite | null> {
  const scan = scans.get(dtype)
  if (scan === undefined) return null
  const tally = { nan: 0, infinite: 0 }
  let first = -1
  let scanned = 0
  for await (const chunk of chunksOf(data)) {
    // Words need their bytes at multiples of their size.
    const at = scan(chunk.byteOffset % 8 === 0 ? chunk : chunk.slice(), tally)
    if (first === -1 && at !== -1) first = scanned + at
    scanned += chunk.length
    onBytes(chunk.length)
  }
  return first === -1 ? null : { ...tally, first: Math.floor(first / bytesOf(dtype)) }
}

function bytesOf(dtype: string): number {
  if (dtype === 'complex128') return 16
  if (dtype === 'F64' || dtype === 'C64') return 8
  if (dtype === 'F32') return 4
  return dtype === 'F16' || dtype === 'BF16' ? 2 : 1
}

function scanSingles(bytes: Uint8Array, tally: Tally): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  let first = -1
  for (let i = 0; i < words.length; i += 1) {
    const magnitude = (words[i] ?? 0) & 0x7fffffff
    if (magnitude < 0x7f800000) continue
    if (magnitude === 0x7f800000) tally.infinite += 1
    else tally.nan += 1
    if (first === -1) first = i * 4
  }
  return first
}

function scanDoubles(bytes: Uint8Array, tally: Tally): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  let first = -1
  for (let i = 1; i < words.length; i += 2) {
    const magnitude = (words[i] ?? 0) & 0x7fffffff
    if (magnitude < 0x7ff00000) continue
    if (magnitude === 0x7ff00000 && words[i - 1] === 0) tally.infinite += 1
    else tally.nan += 1
    if (first === -1) first = (i - 1) * 4
  }
  return first
}

/** `exponent` has all bits of the exponent set. */
function scanHalves(exponent: number): Scan {
  return (bytes, tally) => {
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    let first = -1
    for (let i = 0; i < halves.length; i += 1) {
      const magnitude = (halves[i] ?? 0) & 0x7fff
      if (magnitude < exponent) continue
      if (magnitude === exponent) tally.infinite += 1
      else tally.nan += 1
      if (first === -1) first = i * 2
    }
    return first
  }
}

function scanCodes(makeTable: () => Float32Array): Scan {
  let table: Float32Array | undefined
  return (bytes, tally) => {
    table ??= makeTable()
    let first = -1
    for (let i = 0; i < bytes.length; i += 1) {
      const value = table[bytes[i] ?? 0] ?? NaN
      if (Number.isFinite(value)) continue
      if (Number.isNaN(value)) tally.nan += 1
      else tally.infinite += 1
      if (first === -1) first = i
    }
    return first
  }
}
