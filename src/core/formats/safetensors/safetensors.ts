/**
 * safetensors files: a length (u64, little-endian), a JSON header of that length, then the tensors' bytes without a
 * gap. Pure: bytes in, plain data out. What is refused, and in which order, is what the reference reader refuses
 * (safetensors: safetensors/src/tensor.rs, `SafeTensors::read_metadata` and `Metadata::validate`).
 */
import { isUtf8 } from 'node:buffer'
import { SafetensorsError, quote } from './fault.js'
import { bitsOf } from './dtype.js'
import { parseEntries } from './entries.js'
import { parsePlainEntries } from './plain-entries.js'
import type { Dtype } from './dtype.js'
import type { RawEntry } from './entries.js'
import { multiply, subtract } from './u64.js'
import type { U64 } from './u64.js'

export { SafetensorsError } from './fault.js'
export { bitsOf, isDtype } from './dtype.js'
export type { Dtype } from './dtype.js'

/** Bytes of the length that a file begins with. */
export const prefixLength = 8

/** Bytes of the longest header that the reference reader takes. */
export const longestHeader = 100_000_000

/** Dimensions, below 2^64. One beyond 2^53, which only a tensor without elements can have, is a bigint. */
export type Shape = readonly U64[]

export interface SafetensorsEntry {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: Shape
  /** First byte of the tensor, counted from the start of the file. */
  readonly begin: number
  /** First byte after it. */
  readonly end: number
}

export interface SafetensorsHeader {
  /** First byte of tensor data, counted from the start of the file. */
  readonly dataStart: number
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of their data. */
  readonly tensors: readonly SafetensorsEntry[]
  /** What the reference lets pass and a person should know: names given twice, unusual spellings. */
  readonly findings: readonly string[]
}

/**
 * The header's length in bytes out of a file's first eight. `prefix` may be shorter where the file is.
 * Throws SafetensorsError when the file, of `fileLength` bytes, cannot hold such a header.
 */
export function readHeaderLength(prefix: Uint8Array, fileLength: number): number {
  if (fileLength < prefixLength || prefix.length < prefixLength) {
    throw new SafetensorsError(
      'HeaderTooSmall',
      `header too small: the file has ${fileLength} bytes, and ${prefixLength} are needed for the header's length`,
      0,
    )
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, prefixLength).getBigUint64(0, true)
  if (length > BigInt(longestHeader)) {
    throw new SafetensorsError(
      'HeaderTooLarge',
      `header too large: the first 8 bytes say ${length.toString()} bytes, and at most ${longestHeader} are allowed`,
      0,
      'These bytes are unlikely in a safetensors file. Is it another kind of file?',
    )
  }
  if (prefixLength + Number(length) > fileLength) {
    throw new SafetensorsError(
      'InvalidHeaderLength',
      `ends early: the header alone takes ${prefixLength + Number(length)} bytes, and the file has ${fileLength}`,
      0,
    )
  }
  return Number(length)
}

/** What a header says; `header` are its bytes without the length before it. Throws SafetensorsError. */
export function parseHeader(header: Uint8Array, fileLength: number): SafetensorsHeader {
  if (!isUtf8(header)) {
    const at = prefixLength + findInvalidUtf8(header)
    throw new SafetensorsError('InvalidHeader', `invalid UTF-8 in header at byte ${at}`, at)
  }
  const { metadata, entries, findings } = parsePlainEntries(header) ?? parseEntries(header, prefixLength)
  const dataStart = prefixLength + header.length
  const sorted = [...entries].sort((a, b) => compare(a.begin, b.begin) || compare(a.end, b.end))
  let end: U64 = 0
  for (const entry of sorted) {
    checkOffsets(entry, end)
    checkSize(entry)
    end = entry.end
  }
  checkCovered(end, dataStart, fileLength)
  return { dataStart, metadata, findings, tensors: sorted.map((entry) => toEntry(entry, dataStart)) }
}

function compare(a: U64, b: U64): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Rule 6: tensors follow one another without a gap and without an overlap. */
function checkOffsets({ name, begin, end }: RawEntry, expected: U64): void {
  if (begin === expected && end >= begin) return
  const what =
    begin === expected
      ? `it ends at ${end}, before it begins at ${begin}`
      : `it begins at ${begin}, expected ${expected}`
  throw new SafetensorsError('InvalidOffset', `invalid offset for tensor ${quote(name)}: ${what} of the data`, 0)
}

/** Rules 7 to 9: shape and dtype take as many bytes as there are. */
function checkSize({ name, dtype, shape, begin, end }: RawEntry): void {
  const elements = shape.reduce<U64 | undefined>(
    (product, dim) => (product === undefined ? product : multiply(product, dim)),
    1,
  )
  const bits = elements === undefined ? undefined : multiply(elements, bitsOf[dtype])
  const what = `tensor ${quote(name)}, ${dtype} of shape ${listed(shape)}`
  if (bits === undefined) {
    throw new SafetensorsError('ValidationOverflow', `${what}: its size overflows 64 bits`, 0)
  }
  if (BigInt(bits) % 8n !== 0n) {
    throw new SafetensorsError('MisalignedSlice', `${what}: ${bits} bits do not end at a byte`, 0)
  }
  const bytes = BigInt(bits) / 8n
  const given = subtract(end, begin)
  if (bytes !== BigInt(given)) {
    throw new SafetensorsError(
      'TensorInvalidInfo',
      `${what}: takes ${bytes.toString()} bytes, and its offsets ${begin} to ${end} give ${given}`,
      0,
    )
  }
}

/** A shape as text, cut where it is long: the header alone bounds its length. */
function listed(shape: Shape): string {
  const most = 12
  return shape.length <= most
    ? `[${shape.join(', ')}]`
    : `[${shape.slice(0, most).join(', ')}, … ${shape.length} dimensions]`
}

/** Rule 10, with a message for each of its two sides. */
function checkCovered(end: U64, dataStart: number, fileLength: number): void {
  const expected = BigInt(end) + BigInt(dataStart)
  const missing = expected - BigInt(fileLength)
  if (missing === 0n) return
  if (missing > 0n) {
    throw new SafetensorsError(
      'MetadataIncompleteBuffer',
      `ends early: ${fileLength} of ${expected.toString()} bytes`,
      fileLength,
      'It was cut off, or its writer was stopped before the end.',
    )
  }
  throw new SafetensorsError(
    'MetadataIncompleteBuffer',
    `${(-missing).toString()} bytes after the last tensor: the header accounts for ${expected.toString()}, the file has ${fileLength}`,
    Number(expected),
  )
}

/** Offsets are below the file's length by now, so a double holds them. */
function toEntry({ name, dtype, shape, begin, end }: RawEntry, dataStart: number): SafetensorsEntry {
  return { name, dtype, shape, begin: dataStart + Number(begin), end: dataStart + Number(end) }
}

/** Index of the first byte that cannot stand where it stands: the longest prefix that is UTF-8, by halving. */
function findInvalidUtf8(bytes: Uint8Array): number {
  let good = 0
  let bad = bytes.length
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1
    if (isUtf8(bytes.subarray(0, wholeCharacters(bytes, middle)))) good = middle
    else bad = middle
  }
  return wholeCharacters(bytes, good)
}

/** `length`, less the bytes of a character that has begun before it and does not end before it. */
function wholeCharacters(bytes: Uint8Array, length: number): number {
  for (let back = 1; back <= 3 && back <= length; back += 1) {
    const byte = bytes[length - back] ?? 0
    if (byte < 0x80) return length
    if (byte < 0xc0) continue
    const needed = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return needed > back ? length - back : length
  }
  return length
}

/** A tensor to be written. */
export interface Outline {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: Shape
  /** Bytes. */
  readonly bytes: number
}

/**
 * The first bytes of a file that holds these tensors in this order: the length and the header, padded with spaces to
 * a multiple of 8 as the reference writes it (safetensors: safetensors/src/tensor.rs, `prepare`).
 */
export function formatHeader(tensors: readonly Outline[], metadata: ReadonlyMap<string, string>): Uint8Array {
  const parts: string[] = []
  if (metadata.size > 0) {
    const pairs = [...metadata].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    parts.push(`"__metadata__":{${pairs.join(',')}}`)
  }
  let begin = 0
  for (const { name, dtype, shape, bytes } of tensors) {
    const end = begin + bytes
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`,
    )
    begin = end
  }
  const json = new TextEncoder().encode(`{${parts.join(',')}}`)
  const length = Math.ceil(json.length / 8) * 8
  const header = new Uint8Array(prefixLength + length).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true)
  header.set(json, prefixLength)
  return header
}
