/** The bytes of one torch storage, wherever they lie. */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import { locateEntry, readEntry, type ZipArchive, type ZipEntry } from '../../formats/archives/zip.js'
import type { ReadHandle } from '../../storage/storage.js'
import { chunksOf, readExactly, type Extent } from './extent.js'

export interface StorageBytes {
  /** Bytes. */
  readonly length: number
  /** Where they lie as they are; null when they are packed. */
  extent(): Promise<Extent | null>
  /** `length` bytes from `offset` on, in chunks of about `chunk`. */
  stream(offset: number, length: number, chunk: number): AsyncGenerator<Uint8Array>
  /** Reads a part that is known to be small. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Bytes that lie in the file as they are; `locate` is asked when they are needed. */
export function plainBytes(handle: ReadHandle, length: number, locate: () => Promise<number>): StorageBytes {
  let position: Promise<number> | undefined
  const at = (): Promise<number> => (position ??= locate())
  return {
    length,
    extent: async () => ({ handle, position: await at(), length }),
    stream: async function* (offset, count, chunk) {
      yield* chunksOf({ handle, position: (await at()) + offset, length: count }, chunk)
    },
    read: async (offset, count) => {
      const bytes = new Uint8Array(count)
      await readExactly(handle, bytes, (await at()) + offset)
      return bytes
    },
  }
}

/** A record of a zip archive. torch never deflates one, but other programs pack its files anew. */
export function recordBytes(
  handle: ReadHandle,
  source: ByteSource,
  archive: ZipArchive,
  entry: ZipEntry,
): StorageBytes {
  if (entry.method === 'stored') {
    return plainBytes(handle, entry.size, async () => (await locateEntry(source, archive, entry)).offset)
  }
  const stream = (offset: number, length: number) => cut(readEntry(source, archive, entry), offset, length)
  return {
    length: entry.size,
    extent: async () => null,
    stream,
    read: async (offset, length) => gathered(stream(offset, length), length),
  }
}

/** The same, from `start` on. */
export function bytesFrom(bytes: StorageBytes, start: number): StorageBytes {
  const length = bytes.length - start
  return {
    length,
    extent: async () => {
      const extent = await bytes.extent()
      return extent === null ? null : { ...extent, position: extent.position + start, length }
    },
    stream: (offset, count, chunk) => bytes.stream(start + offset, count, chunk),
    read: (offset, count) => bytes.read(start + offset, count),
  }
}

/** Bytes in memory, which are given as they are. */
export function heldBytes(bytes: Uint8Array): StorageBytes {
  return {
    length: bytes.length,
    extent: async () => null,
    stream: async function* (offset, length, chunk) {
      for (let at = offset; at < offset + length; at += chunk) {
        yield bytes.subarray(at, Math.min(at + chunk, offset + length))
      }
    },
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  }
}

/** Reads to the end, so that a wrong length shows itself. */
async function* cut(parts: AsyncIterable<Uint8Array>, offset: number, length: number): AsyncGenerator<Uint8Array> {
  let at = 0
  for await (const part of parts) {
    const from = Math.max(0, offset - at)
    const to = Math.min(part.length, offset + length - at)
    at += part.length
    if (from < to) yield part.subarray(from, to)
  }
}

async function gathered(parts: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  for await (const part of parts) {
    bytes.set(part, done)
    done += part.length
  }
  if (done < length) throw new FormatError(`a record ends after ${done} of ${length} bytes`)
  return bytes
}
