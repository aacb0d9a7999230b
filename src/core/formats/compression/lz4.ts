/** LZ4's block form (lz4/lz4, doc/lz4_Block_format.md). */
import { FormatError } from '../../errors.js'

/** `length` is what it unpacks to. Throws FormatError. */
export function unpackLz4(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  let at = 0
  let done = 0
  const more = (count: number): number => {
    let sum = count
    for (let byte = 255; count === 15 && byte === 255; at += 1) {
      byte = bytes[at] ?? 0
      sum += byte
    }
    return sum
  }
  while (at < bytes.length) {
    const token = bytes[at] ?? 0
    at += 1
    const literals = more(token >> 4)
    if (at + literals > bytes.length || done + literals > length) throw broken(at)
    out.set(bytes.subarray(at, at + literals), done)
    at += literals
    done += literals
    // The last sequence has literals alone.
    if (at >= bytes.length) break
    const offset = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
    at += 2
    const count = more(token & 15) + 4
    if (offset === 0 || offset > done || done + count > length) throw broken(at)
    if (offset >= count) out.copyWithin(done, done - offset, done - offset + count)
    else for (let index = 0; index < count; index += 1) out[done + index] = out[done + index - offset] ?? 0
    done += count
  }
  if (done !== length) throw new FormatError(`lz4: ${done} bytes unpacked, and ${length} are expected`)
  return out
}

function broken(at: number): FormatError {
  return new FormatError(`lz4: broken at byte ${at} of what is packed`)
}
