/**
 * Zeros at the end of a file: what a file system gives for blocks that were promised and never written, after a power
 * failure or on a full disk. The length is right then, and nothing else tells.
 */
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import type { Shape } from '../../formats/safetensors/safetensors.js'

/** Bytes. Fewer say nothing: the last numbers of a sound file may well be zeros. */
const fewestZeros = 512
const block = 1 << 20
let zeroBlock: Buffer | undefined
/** Bytes of the largest element, a 64-bit number; the last bytes of a number that is not 0 can be zeros. */
const largestElement = 8

/** A part of a file, from `begin` up to `end`. */
export interface Extent {
  readonly begin: number
  readonly end: number
  /** Bytes of an element, where its last byte is zero only if the number is 0 or close to it. */
  readonly float?: number
  /** Bytes of one row (the last dimension), where there are several and they are long. */
  readonly row?: number
}

/** Elements. The rows of padded kernels are shorter, and end in zeros that are values. */
const shortestRow = 32
/** Half-precision is left out: its small numbers end in a zero byte. */
const floats: ReadonlySet<string> = new Set(['F32', 'F64', 'BF16', 'float32', 'float64', 'bfloat16'])

/** Where a tensor lies, with the bytes of its elements and rows as its dtype and shape give them. */
export function extentOf(
  { dtype, shape = [] }: { readonly dtype: string; readonly shape?: Shape },
  { begin, end, itemSize }: { readonly begin: number; readonly end: number; readonly itemSize?: number },
): Extent {
  const size = itemSize ?? (end - begin) / shape.reduce<number>((product, length) => product * Number(length), 1)
  const last = Number(shape.at(-1) ?? 0)
  const isMatrix = last >= shortestRow && Number.isInteger(size) && end - begin > last * size
  return { begin, end, ...(floats.has(dtype) ? { float: size } : {}), ...(isMatrix ? { row: last * size } : {}) }
}

/** The byte at which the zeros at the end of the file begin, 0 for a file of zeros alone; null where there are few. */
export async function findZeroTail(source: ByteSource): Promise<number | null> {
  if (!(await endsInZeros(source))) return null
  for (let end = source.byteLength; end > 0; end -= block) {
    const start = Math.max(0, end - block)
    const last = lastOther(await source.read(start, end - start))
    if (last !== -1) return start + last + 1
  }
  return 0
}

/** Whether the last 512 bytes are zeros, or all of a shorter file: one small read. */
export async function endsInZeros(source: ByteSource): Promise<boolean> {
  const length = Math.min(fewestZeros, source.byteLength)
  return length > 0 && lastOther(await source.read(source.byteLength - length, length)) === -1
}

/** The place of the last byte that is not zero; -1 when there is none. */
function lastOther(bytes: Uint8Array): number {
  // Comparing a whole block is fast, and a file may end in gigabytes of zeros.
  if (bytes.length === block && (zeroBlock ??= Buffer.alloc(block)).equals(bytes)) return -1
  for (let at = bytes.length - 1; at >= 0; at -= 1) if (bytes[at] !== 0) return at
  return -1
}

/** Bytes. No file system writes less at once. */
const sector = 512

/**
 * True when the zeros from `start` to the end look like blocks that were never written. They must begin inside of a part,
 * and one of these must hold: they begin where a sector does; inside of a number; inside of a row that whole rows of zeros
 * follow; or they go on through the parts after it. Else they may be values: a queue that is not full yet, unused rows.
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

/** At least one whole row of zeros must follow: a queue that is filled column by column ends each row in zeros. */
function isAmidRow({ begin, end, row }: Extent, start: number): boolean {
  if (row === undefined || end - start < 2 * row) return false
  const left = row - ((start - begin) % row)
  return left >= largestElement && left < row
}

/** True also a few bytes before a sector: the last number that was written may itself end in zeros. */
function beginsSector(start: number): boolean {
  return Math.ceil(start / sector) * sector - start < largestElement
}
