/** LZF, by which h5py packs chunks with `compression='lzf'` (h5py/lzf/lzf/lzf_d.c). */
import { FormatError } from '../../errors.js'

/** `length` is what it unpacks to. Throws FormatError. */
export function unpackLzf(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  let at = 0
  let done = 0
  const next = (): number => {
    const byte = bytes[at]
    if (byte === undefined) throw broken(at)
    at += 1
    return byte
  }
  while (at < bytes.length) {
    const control = next()
    if (control < 32) {
      const literals = control + 1
      if (at + literals > bytes.length || done + literals > length) throw broken(at)
      out.set(bytes.subarray(at, at + literals), done)
      at += literals
      done += literals
      continue
    }
    const short = control >> 5
    const count = 2 + (short === 7 ? 7 + next() : short)
    const distance = 1 + ((control & 31) << 8) + next()
    if (distance > done || done + count > length) throw broken(at)
    // What is repeated may reach into what it makes.
    for (let index = 0; index < count; index += 1) out[done + index] = out[done + index - distance] ?? 0
    done += count
  }
  return done === length ? out : out.subarray(0, done)
}

function broken(at: number): FormatError {
  return new FormatError(`lzf: broken at byte ${at} of what is packed`)
}
