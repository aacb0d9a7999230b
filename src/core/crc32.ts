/** CRC-32 as zip uses it (polynomial 0xEDB88320). */
import * as zlib from 'node:zlib'

/** Whether Node has its own (20.15, 22.2): 5 GB/s against 0.4. Asked only when used: loading zlib costs every start. */
export function hasFastCrc32(): boolean {
  return 'crc32' in zlib
}

/** Goes on from `previous`, 0 for the first part. Node's own is taken where it is. */
export function crc32(bytes: Uint8Array, previous: number): number {
  return hasFastCrc32() ? zlib.crc32(bytes, previous) : crc32ByTable(bytes, previous)
}

const table = new Uint32Array(256).map((_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 0 ? value >>> 1 : 0xedb88320 ^ (value >>> 1)
  return value
})

/** The same for Node versions that have none. */
export function crc32ByTable(bytes: Uint8Array, previous: number): number {
  let crc = ~previous
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8)
  return ~crc >>> 0
}
