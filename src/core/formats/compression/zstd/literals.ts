/** The literals of a block (RFC 8878, 3.1.1.3.1). */
import { brokenZstd } from './broken.js'
import { readHuffman, unpackStream, type HuffmanTable } from './huffman.js'

export interface Literals {
  readonly bytes: Uint8Array
  /** Where the section ends. */
  readonly next: number
  /** For blocks that go on with it. */
  readonly table: HuffmanTable | null
}

const [raw, repeated, packed] = [0, 1, 2]

/** At most `most` of them. Throws FormatError. */
export function readLiterals(
  bytes: Uint8Array,
  start: number,
  end: number,
  previous: HuffmanTable | null,
  most: number,
): Literals {
  const kind = (bytes[start] ?? 0) & 3
  const header = kind <= repeated ? plainHeader(bytes, start) : packedHeader(bytes, start)
  const { first, size, unpacked } = header
  const next = kind === repeated ? first + 1 : first + (kind === raw ? unpacked : size)
  if (start >= end || next > end) throw brokenZstd('ends within literals')
  if (unpacked > most) throw brokenZstd(`${unpacked} literals in a block, and at most ${most} are allowed`)
  if (kind === raw) return { bytes: bytes.subarray(first, next), next, table: previous }
  const out = new Uint8Array(unpacked)
  if (kind === repeated) return { bytes: out.fill(bytes[first] ?? 0), next, table: previous }
  const { table, next: at } = kind === packed ? readHuffman(bytes, first, next) : { table: previous, next: first }
  if (table === null) throw brokenZstd('literals with the codes of a block that has none')
  if (header.streams === 1) unpackStream(table, bytes, at, next, out)
  else unpackFour(table, bytes, at, next, out)
  return { bytes: out, next, table }
}

interface Header {
  readonly first: number
  readonly size: number
  readonly unpacked: number
  readonly streams: 1 | 4
}

/** Literals that are there as they are, or one that is repeated. */
function plainHeader(bytes: Uint8Array, start: number): Header {
  const word = wordAt(bytes, start)
  const format = (word >>> 2) & 3
  const size = format === 1 ? 2 : format === 3 ? 3 : 1
  const unpacked = size === 1 ? (word >>> 3) & 0x1f : (word >>> 4) & (size === 2 ? 0xfff : 0xfffff)
  return { first: start + size, size: unpacked, unpacked, streams: 1 }
}

function packedHeader(bytes: Uint8Array, start: number): Header {
  const word = wordAt(bytes, start)
  const format = (word >>> 2) & 3
  const width = [10, 10, 14, 18][format] ?? 10
  const mask = (1 << width) - 1
  const unpacked = (word >>> 4) & mask
  // The second number begins within the first four bytes, and may end behind them.
  const from = 4 + width
  const size = (wordAt(bytes, start + (from >> 3)) >>> (from & 7)) & mask
  return { first: start + ((from + width) >> 3), size, unpacked, streams: format === 0 ? 1 : 4 }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
  )
}

/** Four streams, whose lengths but the last one's stand in front of them. */
function unpackFour(table: HuffmanTable, bytes: Uint8Array, start: number, end: number, out: Uint8Array): void {
  const each = (out.length + 3) >> 2
  if (start + 6 > end || 3 * each > out.length) throw brokenZstd('ends within four streams of literals')
  let at = start + 6
  for (let stream = 0; stream < 4; stream += 1) {
    const length = (bytes[start + 2 * stream] ?? 0) | ((bytes[start + 2 * stream + 1] ?? 0) << 8)
    const to = stream === 3 ? end : at + length
    if (to > end) throw brokenZstd('ends within four streams of literals')
    unpackStream(table, bytes, at, to, out.subarray(stream * each, (stream + 1) * each))
    at = to
  }
}
