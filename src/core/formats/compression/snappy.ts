/** Snappy's raw form (google/snappy, format_description.txt), which TensorFlow's tables and Blosc can use. */
import { FormatError } from '../../errors.js'
import { readCount } from '../protobuf/protobuf.js'

/** Throws FormatError for more than `most` bytes and where what is packed does not come to its own length. */
export function unsnappy(bytes: Uint8Array, most: number): Uint8Array {
  const { value: length, next } = readCount(bytes, 0)
  if (length > most) throw new FormatError(`snappy: ${length} bytes unpacked, and at most ${most} are expected`)
  const out = new Uint8Array(length)
  let at = next
  let done = 0
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0
    if ((tag & 3) === 0) {
      const literal = readLiteral(bytes, at)
      if (literal.end > bytes.length || done + literal.length > length) throw broken(at)
      out.set(bytes.subarray(literal.end - literal.length, literal.end), done)
      done += literal.length
      at = literal.end
    } else {
      const copy = readCopy(bytes, at)
      if (copy.offset === 0 || copy.offset > done || done + copy.length > length) throw broken(at)
      copyWithin(out, done, copy)
      done += copy.length
      at = copy.end
    }
  }
  if (done !== length) throw new FormatError(`snappy: ${done} bytes unpacked, and ${length} are expected`)
  return out
}

function readLiteral(bytes: Uint8Array, at: number): { length: number; end: number } {
  const short = (bytes[at] ?? 0) >> 2
  const extra = short < 60 ? 0 : short - 59
  const length = (extra === 0 ? short : littleEndian(bytes, at + 1, extra)) + 1
  return { length, end: at + 1 + extra + length }
}

interface Copy {
  readonly offset: number
  readonly length: number
  readonly end: number
}

function readCopy(bytes: Uint8Array, at: number): Copy {
  const tag = bytes[at] ?? 0
  const kind = tag & 3
  const size = kind === 1 ? 1 : kind === 2 ? 2 : 4
  if (at + 1 + size > bytes.length) throw broken(at)
  const low = littleEndian(bytes, at + 1, size)
  const end = at + 1 + size
  if (kind === 1) return { offset: ((tag >> 5) << 8) | low, length: ((tag >> 2) & 7) + 4, end }
  return { offset: low, length: (tag >> 2) + 1, end }
}

/** A copy may reach into what it writes: that repeats a pattern. */
function copyWithin(out: Uint8Array, to: number, { offset, length }: Copy): void {
  if (offset >= length) out.copyWithin(to, to - offset, to - offset + length)
  else for (let index = 0; index < length; index += 1) out[to + index] = out[to + index - offset] ?? 0
}

function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let index = size - 1; index >= 0; index -= 1) value = value * 256 + (bytes[at + index] ?? 0)
  return value
}

function broken(at: number): FormatError {
  return new FormatError(`snappy: broken at byte ${at} of what is packed`)
}
