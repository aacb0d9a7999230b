/**
 * LevelDB's table of sorted keys, as TensorFlow writes `.index` files (tensorflow/core/lib/io/table_format.txt, format.cc,
 * block.cc): blocks of entries whose keys share prefixes, each with a type and a masked CRC-32C behind it, an index of
 * the blocks, and a footer of 48 bytes.
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { maskedCrc32c } from '../bytes/crc32c.js'
import { readCount } from '../protobuf/protobuf.js'
import { unsnappy } from '../compression/snappy.js'

const footerLength = 48
const magic = 0xdb4775248b80fb57n
const trailerLength = 5
/** Bytes of a block: writers cut them at 256 kB, and one entry is no longer than its tensor's name. */
const largestBlock = 1 << 26

/** Bytes of a key, and of all of them: each may begin as the one before does, which takes no room in the file. */
const largestKey = 1 << 14
const mostKeyBytes = 1 << 27

interface BlockHandle {
  readonly offset: number
  /** Bytes, without type and checksum. */
  readonly size: number
}

export interface TableEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

function hasMagic(end: Uint8Array): boolean {
  return end.length === 8 && new DataView(end.buffer, end.byteOffset, 8).getBigUint64(0, true) === magic
}

/** All entries in the order of their keys. Throws FormatError with the place of what is broken. */
export async function* entriesOfTable(source: ByteSource): AsyncGenerator<TableEntry> {
  const index = await readFooter(source)
  const keys = { left: mostKeyBytes }
  let end = 0
  for (const { value } of entriesOfBlock(await readBlock(source, index, 'the index'), keys)) {
    const { handle } = readHandle(value, 0)
    // As they were written: else a few bytes would be read without end.
    if (handle.offset < end) throw new FormatError(`a block at byte ${handle.offset} lies in the one before`)
    end = handle.offset + handle.size + trailerLength
    yield* entriesOfBlock(await readBlock(source, handle, 'a block'), keys)
  }
}

async function readFooter(source: ByteSource): Promise<BlockHandle> {
  const { byteLength } = source
  const start = byteLength - footerLength
  if (start < 0) throw new FormatError(`ends early: ${byteLength} bytes, and the footer alone has ${footerLength}`)
  const footer = await source.read(start, footerLength)
  if (!hasMagic(footer.subarray(footerLength - 8))) {
    throw new FormatError(`ends early: its ${byteLength} bytes do not end with a table's footer`, { offset: start })
  }
  const metaindex = readHandle(footer, 0)
  return readHandle(footer, metaindex.next).handle
}

function readHandle(bytes: Uint8Array, at: number): { handle: BlockHandle; next: number } {
  const offset = readCount(bytes, at)
  const size = readCount(bytes, offset.next)
  return { handle: { offset: offset.value, size: size.value }, next: size.next }
}

async function readBlock(source: ByteSource, { offset, size }: BlockHandle, what: string): Promise<Uint8Array> {
  if (offset + size + trailerLength > source.byteLength || size > largestBlock) {
    throw new FormatError(`${what} of ${size} bytes at ${offset} does not fit into its ${source.byteLength} bytes`, {
      offset,
    })
  }
  const bytes = await source.read(offset, size + trailerLength)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const sum = maskedCrc32c(bytes.subarray(0, size + 1))
  const stored = view.getUint32(size + 1, true)
  if (sum !== stored) {
    throw new FormatError(
      `${what} at byte ${offset} has the checksum ${hex(sum)}, and ${hex(stored)} is written behind it`,
      { offset },
    )
  }
  const type = bytes[size]
  if (type === 0) return bytes.subarray(0, size)
  if (type === 1) return unsnappy(bytes.subarray(0, size), largestBlock)
  throw new FormatError(`${what} at byte ${offset} is packed in the unknown way ${type}`, { offset: offset + size })
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}

/** Entries up to the list of restarts, of which only the length counts here: all are read in their order. */
function* entriesOfBlock(block: Uint8Array, keys: { left: number }): Generator<TableEntry> {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const restarts = block.length < 4 ? 0 : view.getUint32(block.length - 4, true)
  const end = block.length - 4 - 4 * restarts
  if (end < 0) throw new FormatError(`a block of ${block.length} bytes with ${restarts} restarts`)
  let key = new Uint8Array(0)
  for (let at = 0; at < end;) {
    const shared = readCount(block, at)
    const own = readCount(block, shared.next)
    const length = readCount(block, own.next)
    const start = length.next + own.value
    if (shared.value > key.length || start + length.value > end) {
      throw new FormatError(`an entry that does not fit into its block, ${at} bytes in`)
    }
    const size = shared.value + own.value
    keys.left -= size
    if (size > largestKey || keys.left < 0) throw new FormatError(`a name of ${size} bytes, or too many of them`)
    const next = new Uint8Array(size)
    next.set(key.subarray(0, shared.value))
    next.set(block.subarray(length.next, start), shared.value)
    key = next
    yield { key, value: block.subarray(start, start + length.value) }
    at = start + length.value
  }
}
