/** TensorFlow's tables, changed behind their checksums: see formats/tensorflow/table.ts. */
import { maskedCrc32c } from '../src/core/formats/bytes/crc32c.js'
import { readCount } from '../src/core/formats/protobuf/protobuf.js'

const footerLength = 48

/** Where the first block of entries lies in a table that TensorFlow wrote; null for other files. */
export function firstBlockOf(table: Uint8Array): { readonly offset: number; readonly size: number } | null {
  const footer = table.subarray(-footerLength)
  const isTable = Buffer.from(footer.subarray(-8)).toString('hex') === '57fb808b247547db'
  if (footer.length < footerLength || !isTable) return null
  const [, , index] = countsIn(footer, 0, 3)
  const [, own, , next] = countsIn(table, index ?? 0, 3)
  const [offset, size] = countsIn(table, (next ?? 0) + (own ?? 0), 2)
  return { offset: offset ?? 0, size: size ?? 0 }
}

/** So many varints in a row, and where what follows begins. */
function countsIn(bytes: Uint8Array, start: number, count: number): number[] {
  const values: number[] = []
  let at = start
  for (let left = count; left > 0; left -= 1) {
    const { value, next } = readCount(bytes, at)
    values.push(value)
    at = next
  }
  return [...values, at]
}

/** A copy with another first block, cut or filled up to its length, whose checksum is right. */
export function withFirstBlock(
  table: Uint8Array,
  { offset, size }: { readonly offset: number; readonly size: number },
  block: Uint8Array,
): Uint8Array {
  const copy = Uint8Array.from(table)
  copy.fill(0, offset, offset + size)
  copy.set(block.subarray(0, size), offset)
  const checksum = maskedCrc32c(copy.subarray(offset, offset + size + 1))
  new DataView(copy.buffer).setUint32(offset + size + 1, checksum, true)
  return copy
}
