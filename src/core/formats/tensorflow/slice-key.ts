/**
 * The key under which a piece of a partitioned variable stands (tensorflow/core/util/saved_tensor_slice_util.cc,
 * `EncodeTensorNameSlice`; core/lib/strings/ordered_code.cc): texts and numbers written so that their bytes sort.
 */
/** Along one axis, `length` -1 for all of it. */
export interface SliceExtent {
  readonly start: number
  readonly length: number
}

/** As a text of one character a byte. */
export function sliceKeyOf(name: string, extents: readonly SliceExtent[]): string {
  const numbers = extents.map(({ start, length }) => signedNumber(start) + signedNumber(length)).join('')
  return unsignedNumber(0) + text(name) + unsignedNumber(extents.length) + numbers
}

/** Its bytes, 0x00 and 0xff with one behind them, and an end that sorts first. */
function text(value: string): string {
  const bytes = Buffer.from(value, 'utf8').toString('latin1')
  return `${bytes.replace(/[\0\xff]/g, (byte) => (byte === '\0' ? '\0\xff' : '\xff\0'))}\0\x01`
}

/** How many bytes follow, then those, the highest first. */
function unsignedNumber(value: number): string {
  const bytes = bigEndian(BigInt(value))
  return String.fromCharCode(bytes.length) + bytes
}

function bigEndian(value: bigint): string {
  let bytes = ''
  for (let left = value; left > 0n; left >>= 8n) bytes = String.fromCharCode(Number(left & 0xffn)) + bytes
  return bytes
}

/** As many leading ones as the number takes bytes, then its sign and bits; a negative one is turned over. */
function signedNumber(value: number): string {
  const number = BigInt(value)
  const bits = number < 0n ? ~number : number
  let length = 1n
  while (bits >= 1n << (7n * length - 1n)) length += 1n
  const ones = ((1n << length) - 1n) << (7n * length)
  const coded = number < 0n ? ((1n << (8n * length)) - 1n) ^ (bits | ones) : bits | ones
  return bigEndian(coded).padStart(Number(length), '\0')
}
