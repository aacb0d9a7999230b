/**
 * Zeros at the end of a file: what a file system gives for blocks that were promised and never written, after a power
 * failure or on a full disk. The length is right then, and nothing else tells.
 */
import type { ByteSource } from '../../formats/byte-source.js'

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
 * and there with a sector, or go on through the parts behind it. Else they may be values: of a queue that is being
 * filled, of rows that are not used yet.
 */
export function areUnwritten(parts: readonly Extent[], start: number): boolean {
  const torn = parts.find((part) => part.begin < start && start + largestElement < part.end)
  if (torn === undefined) return false
  return beginsSector(start) || parts.some((part) => part.begin >= torn.end && part.begin < part.end)
}

/** The last bytes before it can be zero too: they are of a number. */
function beginsSector(start: number): boolean {
  return Math.ceil(start / sector) * sector - start < largestElement
}
