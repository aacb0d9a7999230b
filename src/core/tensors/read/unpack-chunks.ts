/** Chunks of arrays, unpacked on the way: whole, or as a stream where nothing of a chunk is left out. */
import { createGunzip, createInflate } from 'node:zlib'
import { Readable } from 'node:stream'
import { FormatError } from '../../errors.js'
import { unpackBlosc } from '../../formats/compression/blosc.js'
import { crc32c } from '../../formats/bytes/crc32c.js'
import type { ZarrCodec } from '../../formats/tensorstore/zarr.js'
import { unzstd } from '../../formats/compression/zstd/zstd.js'
import type { StorageBytes } from './storage-bytes.js'

/** Bytes of one chunk, packed or not, that are held at once. */
const largestChunk = 1 << 28

/** `length` is what it unpacks to. Throws FormatError. */
export async function unpackWhole(
  packed: StorageBytes,
  codecs: readonly ZarrCodec[],
  length: number,
): Promise<Uint8Array> {
  if (length > largestChunk || packed.length > largestChunk) {
    throw new FormatError(`a chunk of ${length} bytes, packed ${packed.length}, and at most ${largestChunk} are held`, {
      code: 'refused',
    })
  }
  let bytes = await packed.read(0, packed.length)
  for (const codec of [...codecs].reverse()) bytes = await undo(codec, bytes, length)
  if (bytes.length === length) return bytes
  throw new FormatError(`a chunk unpacks to ${bytes.length} bytes, and has ${length}`)
}

async function undo(codec: ZarrCodec, bytes: Uint8Array, length: number): Promise<Uint8Array> {
  // Checksums may lie between: some bytes more.
  const most = length + 64
  switch (codec) {
    case 'zstd':
      return unzstd(bytes, most)
    case 'gzip':
    case 'zlib':
      return inflated(bytes, codec, most)
    case 'blosc':
      return unpackBlosc(bytes, length)
    case 'crc32c':
      return withoutChecksum(bytes)
  }
}

async function inflated(bytes: Uint8Array, codec: 'gzip' | 'zlib', most: number): Promise<Uint8Array> {
  const unpacker = codec === 'gzip' ? createGunzip() : createInflate()
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of Readable.from([bytes]).pipe(unpacker) as AsyncIterable<Uint8Array>) {
      size += part.length
      if (size > most) throw new FormatError(`${codec}: more than ${most} bytes unpacked`)
      parts.push(part)
    }
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw new FormatError(`${codec}: a chunk that cannot be unpacked`, { cause: error })
  }
  return Buffer.concat(parts)
}

/** Throws FormatError where the bytes are not what their checksum says, which lies behind them. */
export function withoutChecksum(bytes: Uint8Array): Uint8Array {
  const data = bytes.subarray(0, -4)
  if (bytes.length < 4) throw new FormatError(`a chunk of ${bytes.length} bytes, too short for its checksum`)
  const stored = new DataView(bytes.buffer, bytes.byteOffset + data.length, 4).getUint32(0, true)
  const sum = crc32c(data)
  if (sum === stored) return data
  throw new FormatError(`a chunk has the checksum ${sum.toString(16)}, and ${stored.toString(16)} is written behind it`)
}
