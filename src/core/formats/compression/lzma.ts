/** What `lzma` writes, the predecessor of xz. */

const properties = 0x5d
const headerBytes = 13

/**
 * By the header, as liblzma's own decoder does that has to guess (alone_decoder.c, `picky`): the usual properties, a
 * dictionary of 2^n or 2^n + 2^(n-1) bytes, and a length that is not told or below 2^38.
 */
export function isLzma(head: Uint8Array): boolean {
  if (head.length < headerBytes || head[0] !== properties || head[1] !== 0) return false
  const view = new DataView(head.buffer, head.byteOffset, headerBytes)
  const length = view.getBigUint64(5, true)
  return isDictionary(view.getUint32(1, true)) && (length === 2n ** 64n - 1n || length < 2n ** 38n)
}

function isDictionary(bytes: number): boolean {
  const power = 2 ** (31 - Math.clz32(bytes))
  return bytes !== 0 && (bytes === power || bytes === power * 1.5)
}
