/** Zstandard's frames (RFC 8878). Node has them from version 22.15 on; these end for any bytes, and check what can be. */
import { FormatError } from '../../../errors.js'
import { brokenZstd } from './broken.js'
import { readLiterals } from './literals.js'
import { Output } from './output.js'
import { unpackSequences, type SequenceState } from './sequences.js'
import type { HuffmanTable } from './huffman.js'
import { xxHash64Low } from './xxhash64.js'

const magic = 0xfd2fb528
/** The lowest four bits are anything. */
const skippable = 0x184d2a50
const largestBlock = 1 << 17

/**
 * The frames' contents, at most `most` bytes. Throws FormatError for anything else: before memory is taken for what a
 * header claims; `refused` where a dictionary is needed, which no file of tensors has.
 */
export function unzstd(bytes: Uint8Array, most: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const out = new Output(most, Math.max(1024, bytes.length * 4))
  let at = 0
  do at = isSkippable(view, at) ? skip(view, at) : unpackFrame(view, bytes, at, out, most)
  while (at < bytes.length)
  return out.view()
}

function isSkippable(view: DataView, at: number): boolean {
  return at + 8 <= view.byteLength && (view.getUint32(at, true) & 0xfffffff0) >>> 0 === skippable
}

function skip(view: DataView, at: number): number {
  const next = at + 8 + view.getUint32(at + 4, true)
  if (next > view.byteLength) throw brokenZstd('ends within a frame that is passed over')
  return next
}

/** Gives where the next frame begins. */
function unpackFrame(view: DataView, bytes: Uint8Array, start: number, out: Output, most: number): number {
  const frame = readHeader(view, start)
  const begin = out.length
  if (frame.contentSize !== null && begin + frame.contentSize > most) {
    throw brokenZstd(`a frame of ${frame.contentSize} bytes, and ${most} at most are expected`)
  }
  out.beginFrame()
  const afterBlocks = unpackBlocks(view, bytes, frame, out)
  const size = out.length - begin
  if (frame.contentSize !== null && size !== frame.contentSize) {
    throw brokenZstd(`a frame of ${frame.contentSize} bytes that unpacks to ${size}`)
  }
  if (!frame.hasChecksum) return afterBlocks
  if (afterBlocks + 4 > bytes.length) throw brokenZstd('ends within the checksum of its frame')
  const [sum, stored] = [xxHash64Low(out.view(begin)), view.getUint32(afterBlocks, true)]
  if (sum !== stored) {
    throw brokenZstd(`a frame has the checksum ${sum.toString(16)}, and ${stored.toString(16)} is written behind it`)
  }
  return afterBlocks + 4
}

interface FrameHeader {
  readonly contentSize: number | null
  readonly hasChecksum: boolean
  /** Bytes that a block has at most, packed or not. */
  readonly largestBlock: number
  /** Where its blocks begin. */
  readonly next: number
}

/** RFC 8878, 3.1.1.1. A window takes no memory of its own, however large: all that was unpacked is held. */
function readHeader(view: DataView, start: number): FrameHeader {
  if (start + 5 > view.byteLength || view.getUint32(start, true) !== magic) {
    throw brokenZstd(start === 0 ? 'does not begin as a frame' : `no frame begins at byte ${start}`)
  }
  const descriptor = view.getUint8(start + 4)
  const isSingle = (descriptor & 0x20) !== 0
  const dictionaryAt = start + 5 + (isSingle ? 0 : 1)
  const dictionarySize = [0, 1, 2, 4][descriptor & 3] ?? 0
  const sizeAt = dictionaryAt + dictionarySize
  const sizeLength = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  const next = sizeAt + sizeLength
  if (next > view.byteLength) throw brokenZstd('ends within the header of its frame')
  if ((descriptor & 8) !== 0) throw brokenZstd('a frame of a later version')
  if (littleEndian(view, dictionaryAt, dictionarySize) !== 0) {
    throw new FormatError('zstd: a frame that needs a dictionary, which is not there', { code: 'refused' })
  }
  const size = contentSize(view, sizeAt, sizeLength)
  const window = isSingle ? (size ?? 0) : windowSize(view.getUint8(start + 5))
  const hasChecksum = (descriptor & 4) !== 0
  return { contentSize: size, hasChecksum, largestBlock: Math.min(window, largestBlock), next }
}

function windowSize(byte: number): number {
  return 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8)
}

function contentSize(view: DataView, at: number, length: number): number | null {
  if (length === 0) return null
  return littleEndian(view, at, length) + (length === 2 ? 256 : 0)
}

function littleEndian(view: DataView, at: number, length: number): number {
  let value = 0
  for (let index = length - 1; index >= 0; index -= 1) value = value * 256 + view.getUint8(at + index)
  return value
}

const [rawBlock, repeatedByte, packedBlock] = [0, 1, 2]

/** What blocks of one frame leave to the next. */
interface FrameState extends SequenceState {
  codes: HuffmanTable | null
}

/** Gives where the last one ends. */
function unpackBlocks(view: DataView, bytes: Uint8Array, frame: FrameHeader, out: Output): number {
  const state: FrameState = { codes: null, tables: null, offsets: [1, 4, 8] }
  let at = frame.next
  for (let isLast = false; !isLast;) {
    if (at + 3 > bytes.length) throw brokenZstd('ends before its last block')
    const header = littleEndian(view, at, 3)
    isLast = (header & 1) !== 0
    const [kind, size] = [(header >> 1) & 3, header >> 3]
    const next = at + 3 + (kind === repeatedByte ? 1 : size)
    if (next > bytes.length) throw brokenZstd('ends within a block')
    out.beginBlock(frame.largestBlock)
    if (kind === rawBlock) out.put(bytes.subarray(at + 3, next))
    else if (kind === repeatedByte) out.fill(view.getUint8(at + 3), size)
    else if (kind === packedBlock && size <= frame.largestBlock) unpackBlock(bytes, at + 3, next, state, out)
    else throw brokenZstd(`a block of ${size} bytes of the kind ${kind}`)
    at = next
  }
  return at
}

function unpackBlock(bytes: Uint8Array, start: number, end: number, state: FrameState, out: Output): void {
  const literals = readLiterals(bytes, start, end, state.codes, largestBlock)
  state.codes = literals.table
  unpackSequences(bytes, literals.next, end, literals.bytes, state, out)
}
