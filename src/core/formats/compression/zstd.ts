/** Zstandard (RFC 8878), unpacked by fzstd: Node has it from version 22.15 on. */
import { Decompress } from 'fzstd'
import { FormatError } from '../../errors.js'

const magic = 0xfd2fb528
/** Bytes that are given at a time: a few may unpack to very many. */
const step = 1 << 12

/**
 * The frames' contents, at most `most` bytes. Throws FormatError for anything else, before memory is taken for what a
 * header claims or what blocks of one byte repeat.
 */
export function unzstd(bytes: Uint8Array, most: number): Uint8Array {
  const needed = claimedBy(bytes)
  if (needed > Math.max(most, largestWindow)) {
    throw new FormatError(`zstd: a frame of ${needed} bytes, and ${most} at most are expected`)
  }
  const parts: Uint8Array[] = []
  let size = 0
  const stream = new Decompress((part) => {
    size += part.length
    if (size > most) throw new FormatError(`zstd: more than the ${most} bytes that are expected`)
    parts.push(part)
  })
  try {
    for (let at = 0; at < bytes.length; at += step)
      stream.push(bytes.subarray(at, at + step), at + step >= bytes.length)
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw new FormatError(`zstd: ${error instanceof Error ? error.message : 'cannot be unpacked'}`, { cause: error })
  }
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}

/** A window may be larger than what comes through it: what the writer's level gives. */
const largestWindow = 1 << 25

/** The frame's content size, or its window where that is not given: the memory that is taken at once. */
function claimedBy(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 6 || view.getUint32(0, true) !== magic) throw new FormatError('zstd: does not begin as a frame')
  const descriptor = view.getUint8(4)
  const isSingle = (descriptor & 0x20) !== 0
  const windowByte = isSingle ? 0 : view.getUint8(5)
  const window = isSingle ? 0 : 2 ** (10 + (windowByte >> 3)) * (1 + (windowByte & 7) / 8)
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0)
  const length = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  if (at + length > bytes.length) throw new FormatError('zstd: ends within the header of its frame')
  return Math.max(window, contentSize(view, at, length))
}

function contentSize(view: DataView, at: number, length: number): number {
  if (length === 1) return view.getUint8(at)
  if (length === 2) return view.getUint16(at, true) + 256
  if (length === 4) return view.getUint32(at, true)
  return length === 8 ? Number(view.getBigUint64(at, true)) : 0
}
