/**
 * Zeros at the end of a file: what a file system gives for blocks that were promised and never written, after a power
 * failure or on a full disk. The length is right then, and nothing else tells.
 */
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import type { Shape } from '../../formats/safetensors/safetensors.js'

/** Fewer mean nothing: an integer ends in zeros. */
const fewestZeros = 512
const block = 1 << 20
let zeroBlock: Buffer | undefined
/** Bytes of one element: a large number's, of whose bytes the last ones can be zero. */
const largestElement = 8

/** A part of a file, from `begin` up to `end`. */
export interface Extent {
  readonly begin: number
  readonly end: number
  /** Bytes of a number whose last byte is zero only where it is, or next to it. */
  readonly float?: number
  /** Bytes of the last dimension, where there are several such rows and long ones. */
  readonly row?: number
}

/** Of a row, in elements: padded kernels have shorter ones. */
const shortestRow = 32
/** Half-precision is left out: its small numbers end in a zero byte. */
const floats: ReadonlySet<string> = new Set(['F32', 'F64', 'BF16', 'float32', 'float64', 'bfloat16'])

/** Where a tensor lies, and what its dtype and shape say of the places at which its numbers end. */
export function extentOf(
  { dtype, shape = [] }: { readonly dtype: string; readonly shape?: Shape },
  { begin, end, itemSize }: { readonly begin: number; readonly end: number; readonly itemSize?: number },
): Extent {
  const size = itemSize ?? (end - begin) / shape.reduce<number>((product, length) => product * Number(length), 1)
  const last = Number(shape.at(-1) ?? 0)
  const isMatrix = last >= shortestRow && Number.isInteger(size) && end - begin > last * size
  return { begin, end, ...(floats.has(dtype) ? { float: size } : {}), ...(isMatrix ? { row: last * size } : {}) }
}

/** Where the zeros begin that the file ends with, 0 where there is nothing else; null when there are few. */
export async function findZeroTail(source: ByteSource): Promise<number | null> {
  if (!(await endsInZeros(source))) return null
  for (let end = source.byteLength; end > 0; end -= block) {
    const start = Math.max(0, end - block)
    const last = lastOther(await source.read(start, end - start))
    if (last !== -1) return start + last + 1
  }
  return 0
}

/** Whether its last bytes are zero: one small read. A file of few bytes is looked at whole. */
export async function endsInZeros(source: ByteSource): Promise<boolean> {
  const length = Math.min(fewestZeros, source.byteLength)
  return length > 0 && lastOther(await source.read(source.byteLength - length, length)) === -1
}

/** The place of the last byte that is not zero; -1 when there is none. */
function lastOther(bytes: Uint8Array): number {
  // Of a disk image's worth of zeros each block is compared at once.
  if (bytes.length === block && (zeroBlock ??= Buffer.alloc(block)).equals(bytes)) return -1
  for (let at = bytes.length - 1; at >= 0; at -= 1) if (bytes[at] !== 0) return at
  return -1
}

/** What no file system promises less of. */
const sector = 512

/**
 * True when zeros from `start` to the end look just like blocks that were never written: they begin amid a part,
 * and there with a sector, amid a number or a row of which whole ones follow, or go on through the parts behind it.
 * Else they may be values: of a queue that is being filled, of rows that are not used yet.
 */
export function areUnwritten(parts: readonly Extent[], start: number): boolean {
  const torn = parts.find((part) => part.begin < start && start + largestElement < part.end)
  if (torn === undefined) return false
  return (
    beginsSector(start) ||
    isAmidNumber(torn, start) ||
    isAmidRow(torn, start) ||
    parts.some((part) => part.begin >= torn.end && part.begin < part.end)
  )
}

function isAmidNumber({ begin, float }: Extent, start: number): boolean {
  return float !== undefined && (start - begin) % float !== 0
}

/** A queue that is filled by columns ends each row in zeros, and so the last one alone is. */
function isAmidRow({ begin, end, row }: Extent, start: number): boolean {
  if (row === undefined || end - start < 2 * row) return false
  const left = row - ((start - begin) % row)
  return left >= largestElement && left < row
}

/** The last bytes before it can be zero too: they are of a number. */
function beginsSector(start: number): boolean {
  return Math.ceil(start / sector) * sector - start < largestElement
}
