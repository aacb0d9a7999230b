/** CRC-32C (Castagnoli, polynomial 0x82F63B78 turned round), as TensorFlow and TensorStore use it. */

/** Table `n` advances a byte by `n` further bytes, so that eight are taken at a time. */
let tables: readonly Uint32Array[] | undefined

function makeTables(): readonly Uint32Array[] {
  const first = new Uint32Array(256).map((_, index) => {
    let value = index
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
    return value >>> 0
  })
  const made = [first]
  for (let level = 1; level < 8; level += 1) {
    const before = made[level - 1] ?? first
    made.push(before.map((value) => ((value >>> 8) ^ (first[value & 0xff] ?? 0)) >>> 0))
  }
  return made
}

/** Goes on from `previous`, 0 for the first part. */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = (tables ??= makeTables()) as readonly [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ]
  let crc = ~previous
  let at = 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (; at + 8 <= bytes.length; at += 8) {
    const low = crc ^ view.getUint32(at, true)
    const high = view.getUint32(at + 4, true)
    crc =
      (t7[low & 0xff] ?? 0) ^
      (t6[(low >>> 8) & 0xff] ?? 0) ^
      (t5[(low >>> 16) & 0xff] ?? 0) ^
      (t4[low >>> 24] ?? 0) ^
      (t3[high & 0xff] ?? 0) ^
      (t2[(high >>> 8) & 0xff] ?? 0) ^
      (t1[(high >>> 16) & 0xff] ?? 0) ^
      (t0[high >>> 24] ?? 0)
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0)
  return ~crc >>> 0
}

/** As it is stored: turned and shifted, so that a checksum of bytes that hold one is not a trap (leveldb, crc32c.h). */
export function maskedCrc32c(bytes: Uint8Array, previous = 0): number {
  return masked(crc32c(bytes, previous))
}

export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}
