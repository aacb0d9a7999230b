/** What zlib packed, in one piece. */
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'

/** Rejects where it is damaged, or comes to more than `most` bytes. */
export function unpackZlib(packed: Uint8Array, most: number): Promise<Uint8Array> {
  // Made here and not for all calls: loading this module must not load node:zlib, which takes long (bin/run.js).
  return promisify(inflate)(packed, { maxOutputLength: most })
}

/** RFC 1950, 2.2: deflate with a window of 32 kB, a sum of the two bytes; zeros behind them are a number's. */
export function isZlib(head: Uint8Array): boolean {
  const [method, flags = 0] = head
  if (method !== 0x78 || (method * 256 + flags) % 31 !== 0 || (flags & 0x20) !== 0) return false
  return head.length >= 8 && head.subarray(2, 8).some((byte) => byte !== 0)
}
