/** The checksum of HDF5's newer structures: Bob Jenkins' lookup3, `hashlittle` from 0 (H5checksum.c). */

export function lookup3(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let left = bytes.length
  let a = (0xdeadbeef + left) | 0
  let [b, c] = [a, a]
  let at = 0
  for (; left > 12; at += 12, left -= 12) {
    a = (a + view.getInt32(at, true)) | 0
    b = (b + view.getInt32(at + 4, true)) | 0
    c = (c + view.getInt32(at + 8, true)) | 0
    a = (a - c) ^ turned(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ turned(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ turned(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ turned(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ turned(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ turned(b, 4)
    b = (b + a) | 0
  }
  if (left === 0) return c >>> 0
  const last = new DataView(new ArrayBuffer(12))
  for (let index = 0; index < left; index += 1) last.setUint8(index, bytes[at + index] ?? 0)
  a = (a + last.getInt32(0, true)) | 0
  b = (b + last.getInt32(4, true)) | 0
  c = (c + last.getInt32(8, true)) | 0
  c = ((c ^ b) - turned(b, 14)) | 0
  a = ((a ^ c) - turned(c, 11)) | 0
  b = ((b ^ a) - turned(a, 25)) | 0
  c = ((c ^ b) - turned(b, 16)) | 0
  a = ((a ^ c) - turned(c, 4)) | 0
  b = ((b ^ a) - turned(a, 14)) | 0
  c = ((c ^ b) - turned(b, 24)) | 0
  return c >>> 0
}

function turned(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
