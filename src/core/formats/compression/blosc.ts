/** Blosc's chunks, version 1 (Blosc/c-blosc, README_CHUNK_FORMAT.rst): blocks that are shuffled and packed by another program. */
import { FormatError } from '../../errors.js'
import { unpackLz4 } from './lz4.js'
import { unsnappy } from './snappy.js'
import { unpackZlib } from './zlib.js'
import { unzstd } from './zstd/zstd.js'

const headerSize = 16
const [byteShuffle, memcpyed, bitShuffle, dontSplit] = [1, 2, 4, 0x10]
const codecs = ['blosclz', 'lz4', 'snappy', 'zlib', 'zstd'] as const

/** `length` is what it unpacks to. Throws FormatError; `refused` for blosclz, which only old programs choose. */
export async function unpackBlosc(bytes: Uint8Array, length: number): Promise<Uint8Array> {
  if (bytes.length < headerSize) throw new FormatError(`blosc: ${bytes.length} bytes, and the header alone has 16`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint8(2)
  const itemSize = view.getUint8(3) || 1
  const [size, blockSize, packed] = [view.getUint32(4, true), view.getUint32(8, true), view.getUint32(12, true)]
  if (size !== length || packed !== bytes.length) {
    throw new FormatError(
      `blosc: ${packed} bytes that unpack to ${size}, and ${bytes.length} to ${length} are expected`,
    )
  }
  if ((flags & memcpyed) !== 0) return bytes.subarray(headerSize, headerSize + size)
  if (blockSize === 0 || size === 0) return new Uint8Array(size)
  const out = new Uint8Array(size)
  const blocks = Math.ceil(size / blockSize)
  if (headerSize + 4 * blocks > bytes.length) throw new FormatError(`blosc: ${blocks} blocks in ${bytes.length} bytes`)
  for (let block = 0; block < blocks; block += 1) {
    const start = view.getUint32(headerSize + 4 * block, true)
    const wanted = Math.min(blockSize, size - block * blockSize)
    const isWhole = wanted === blockSize
    const parts = (flags & dontSplit) === 0 && isWhole && itemSize <= 16 && blockSize / itemSize >= 128 ? itemSize : 1
    const unpacked = await unpackBlock(bytes, start, wanted, parts, flags >> 5)
    out.set(unshuffled(unpacked, itemSize, flags), block * blockSize)
  }
  return out
}

/** A block is one part, or one for each byte of an element. */
async function unpackBlock(
  bytes: Uint8Array,
  start: number,
  length: number,
  parts: number,
  codec: number,
): Promise<Uint8Array> {
  const out = new Uint8Array(length)
  const each = length / parts
  let at = start
  for (let part = 0; part < parts; part += 1) {
    if (at < headerSize || at + 4 > bytes.length)
      throw new FormatError(`blosc: a block at byte ${at} of ${bytes.length}`)
    const size = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true)
    at += 4
    if (at + size > bytes.length) throw new FormatError(`blosc: ${size} bytes at byte ${at} of ${bytes.length}`)
    const packed = bytes.subarray(at, at + size)
    const unpacked = size === each ? packed : await unpackPart(packed, each, codec)
    if (unpacked.length !== each)
      throw new FormatError(`blosc: a part unpacks to ${unpacked.length} bytes, not ${each}`)
    out.set(unpacked, part * each)
    at += size
  }
  return out
}

async function unpackPart(packed: Uint8Array, length: number, codec: number): Promise<Uint8Array> {
  const name = codecs[codec]
  if (name === 'lz4') return unpackLz4(packed, length)
  if (name === 'snappy') return unsnappy(packed, length)
  if (name === 'zstd') return unzstd(packed, length)
  if (name === 'zlib') {
    return unpackZlib(packed, Math.max(1, length)).catch((error: unknown) => {
      throw new FormatError('blosc: a part that zlib cannot unpack', { cause: error })
    })
  }
  throw new FormatError(`blosc: packed by ${name ?? `codec ${codec}`}, which is not read`, { code: 'refused' })
}

function unshuffled(bytes: Uint8Array, itemSize: number, flags: number): Uint8Array {
  if ((flags & byteShuffle) !== 0 && itemSize > 1) return unshuffleBytes(bytes, itemSize)
  return (flags & bitShuffle) !== 0 ? unshuffleBits(bytes, itemSize) : bytes
}

/** First the first bytes of all elements, then the second ones; what is left over stays. */
function unshuffleBytes(bytes: Uint8Array, itemSize: number): Uint8Array {
  const out = Uint8Array.from(bytes)
  const count = Math.floor(bytes.length / itemSize)
  for (let byte = 0; byte < itemSize; byte += 1) {
    for (let item = 0; item < count; item += 1) out[item * itemSize + byte] = bytes[byte * count + item] ?? 0
  }
  return out
}

/** The same with bits, of as many elements as are a multiple of eight. */
function unshuffleBits(bytes: Uint8Array, itemSize: number): Uint8Array {
  const out = Uint8Array.from(bytes)
  const count = Math.floor(bytes.length / itemSize / 8) * 8
  out.fill(0, 0, count * itemSize)
  for (let bit = 0; bit < itemSize * 8; bit += 1) {
    const row = (bit * count) / 8
    for (let item = 0; item < count; item += 1) {
      const value = ((bytes[row + (item >> 3)] ?? 0) >> (item & 7)) & 1
      const at = item * itemSize + (bit >> 3)
      out[at] = (out[at] ?? 0) | (value << (bit & 7))
    }
  }
  return out
}
