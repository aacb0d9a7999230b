/**
 * Zip archives as torch, numpy and Keras write them: the central directory, zip64, stored and deflated entries.
 * Nothing in the file is believed: each number is held against the file's length before it is used.
 * Source: PKWARE's APPNOTE.TXT 6.3; torch's writer, caffe2/serialize/inline_container.cc.
 */
import { pipeline } from 'node:stream/promises'
import { createInflateRaw, inflateRawSync } from 'node:zlib'
import { crc32 } from '../bytes/crc32.js'
import { CkptError, FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import { bufferOf, decodeName, hex, localHeaderSize, quote, readExactly, signature, viewOf } from './zip/bytes.js'
import { ZipArchive, type ZipEntry } from './zip/archive.js'
import { findEnd } from './zip/end.js'

export { hasChecksums, ZipArchive, type ZipEntry } from './zip/archive.js'
export { endsAt, tailLength, ZipEndMissing } from './zip/end.js'

/** A part of a file, in bytes. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

const block = 1 << 20

/**
 * Reads the central directory. No entry is opened.
 * Throws FormatError when there is no end record (a file that was cut), when a number points outside of the file,
 * or when entries overlap, share a name, are encrypted or use another method than stored and deflated.
 */
export async function readZip(source: ByteSource): Promise<ZipArchive> {
  const end = await findEnd(source)
  const directory = await readExactly(source, end.directoryOffset, end.directorySize, 'the central directory')
  return new ZipArchive(directory, end)
}

/**
 * Where an entry's bytes lie, by its local header: only that one knows its own length.
 * Throws FormatError when the local header is not there, or is another entry's, and when the bytes would not end where
 * the entry does.
 */
export async function locateEntry(source: ByteSource, archive: ZipArchive, entry: ZipEntry): Promise<ByteRange> {
  // With the name that it should have, in one reading; the file can have ended before that.
  const length = Math.min(localHeaderSize + Buffer.byteLength(entry.name), source.byteLength - entry.headerOffset)
  const header = await readExactly(source, entry.headerOffset, Math.max(length, localHeaderSize), headerOf(entry))
  const view = viewOf(header)
  if (view.getUint32(0, true) !== signature.local) {
    const found = hex(view.getUint32(0, true))
    throw new FormatError(
      `${headerOf(entry)} at byte ${entry.headerOffset} begins with ${found}, not ${hex(signature.local)}`,
      { offset: entry.headerOffset },
    )
  }
  const nameLength = view.getUint16(26, true)
  const nameOffset = entry.headerOffset + localHeaderSize
  const isThere = localHeaderSize + nameLength <= header.length
  const named = isThere
    ? header.subarray(localHeaderSize)
    : await readExactly(source, nameOffset, nameLength, headerOf(entry))
  const name = decodeName(bufferOf(named), 0, nameLength)
  if (name !== entry.name) {
    throw new FormatError(
      `the local header at byte ${entry.headerOffset} names ${quote(name)}, the central directory ${quote(entry.name)}`,
      { offset: nameOffset },
    )
  }
  requireSameSizes(view, entry)
  const offset = nameOffset + nameLength + view.getUint16(28, true)
  const range = { offset, length: entry.compressedSize }
  requireEndBefore(archive, entry, range)
  if (hasDescriptor(view)) await requireDescriptor(source, entry, range)
  return range
}

function requireEndBefore(archive: ZipArchive, entry: ZipEntry, { offset, length }: ByteRange): void {
  if (offset + length <= entry.limit) return
  const what = entry.limit === archive.directoryOffset ? "the central directory's start" : 'the start of the next entry'
  throw new FormatError(
    `entry ${quote(entry.name)} ends at byte ${offset + length}, after ${what} at byte ${entry.limit}`,
    { offset },
  )
}

/** Sizes and checksum come behind the data, in a descriptor, and the local header says nothing of them. */
function hasDescriptor(local: DataView): boolean {
  return (local.getUint16(6, true) & 8) !== 0
}

/** A signature, the checksum and two sizes of four bytes, or of eight for an entry of 4 GiB (APPNOTE 4.3.9). */
const descriptorSize = { short: 16, long: 24 }

/**
 * A local header that gives a wrong length to what stands before the data moves the data. Its descriptor is then not
 * behind it: where what lies between the data and the next entry is not as long as that, it is looked at. It may lack
 * its signature, and anything may follow it.
 */
async function requireDescriptor(source: ByteSource, entry: ZipEntry, { offset, length }: ByteRange): Promise<void> {
  const end = offset + length
  const isLong = Math.max(entry.size, entry.compressedSize) >= 0xffffffff
  if (entry.limit - end === (isLong ? descriptorSize.long : descriptorSize.short)) return
  // Four bytes before it too: they must not be its signature, four bytes too early.
  const bytes = await source.read(end - 4, Math.min(12, entry.limit - end + 4))
  const [before, first, second] = Array.from({ length: bytes.length >> 2 }, (_, at) =>
    viewOf(bytes).getUint32(4 * at, true),
  )
  const hasSignature = first === signature.descriptor && second === entry.crc32
  if (hasSignature || (first === entry.crc32 && before !== signature.descriptor)) return
  throw new FormatError(
    `the data of entry ${quote(entry.name)} should end at byte ${end}, and what tells its checksum does not follow there`,
    { offset: end },
  )
}

/** One reader goes by the local header, another by the directory: they must not see two files. */
function requireSameSizes(local: DataView, entry: ZipEntry): void {
  requireSame(entry, 'method', local.getUint16(8, true), entry.method === 'stored' ? 0 : 8)
  const [crc, packed, size] = [local.getUint32(14, true), local.getUint32(18, true), local.getUint32(22, true)]
  if (hasDescriptor(local) || (crc === 0 && packed === 0 && size === 0)) return
  requireSame(entry, 'CRC-32', crc, entry.crc32)
  requireSame(entry, 'packed size', packed, entry.compressedSize)
  requireSame(entry, 'size', size, entry.size)
}

function requireSame(entry: ZipEntry, what: string, here: number, there: number): void {
  // All ones: it stands in a zip64 field.
  if (here === there || (what !== 'method' && here === 0xffffffff)) return
  throw new FormatError(
    `the local header of entry ${quote(entry.name)} at byte ${entry.headerOffset} gives the ${what} ${here}, the ` +
      `central directory ${there}`,
    { offset: entry.headerOffset },
  )
}

/** An entry and where its bytes lie. */
export interface LocatedEntry {
  readonly entry: ZipEntry
  readonly range: ByteRange
}

/** All entries in the order of their bytes. Throws as `locateEntry` does, and where the bytes of two overlap. */
export async function locateEntries(source: ByteSource, archive: ZipArchive): Promise<LocatedEntry[]> {
  const located: LocatedEntry[] = []
  let end = 0
  for (const entry of archive.entries.toSorted((a, b) => a.headerOffset - b.headerOffset)) {
    if (entry.headerOffset < end) {
      throw new FormatError(
        `entry ${quote(entry.name)} at byte ${entry.headerOffset} begins before the one before it ends, at byte ${end}`,
        { offset: entry.headerOffset },
      )
    }
    const range = await locateEntry(source, archive, entry)
    end = range.offset + range.length
    located.push({ entry, range })
  }
  return located
}

export interface CheckOptions {
  /** Called after each part with the count of bytes read from the file since the last call. */
  readonly onBytes?: (count: number) => void
  readonly signal?: AbortSignal
}

/**
 * Reads one entry to its end, in bounded memory, and compares its length and checksum with the directory's.
 * Throws FormatError when they differ; `checksum: false` compares the length alone.
 */
export async function checkEntry(
  source: ByteSource,
  archive: ZipArchive,
  entry: ZipEntry,
  options: CheckOptions & { readonly checksum?: boolean } = {},
): Promise<void> {
  const range = await locateEntry(source, archive, entry)
  const sum =
    entry.method === 'stored'
      ? await sumStored(source, range, options)
      : await sumDeflated(source, range, entry, options)
  if (sum.size !== entry.size) {
    throw new FormatError(`entry ${quote(entry.name)} unpacks to ${sum.size} bytes, not ${entry.size}`, {
      offset: range.offset,
    })
  }
  if (options.checksum !== false && sum.crc !== entry.crc32) throw checksumFault({ entry, range }, sum.crc)
}

/** What to say of an entry whose bytes have another checksum. */
export function checksumFault({ entry, range }: LocatedEntry, crc: number): FormatError {
  return new FormatError(
    `entry ${quote(entry.name)} (bytes ${range.offset} to ${range.offset + range.length}) has the CRC-32 ` +
      `${hex(crc)}, not ${hex(entry.crc32)}: its bytes changed after they were written`,
    { offset: range.offset },
  )
}

interface Sum {
  readonly crc: number
  readonly size: number
}

async function sumStored(source: ByteSource, range: ByteRange, options: CheckOptions): Promise<Sum> {
  let crc = 0
  for await (const part of readBlocks(source, range, options)) crc = crc32(part, crc)
  return { crc, size: range.length }
}

async function sumDeflated(source: ByteSource, range: ByteRange, entry: ZipEntry, options: CheckOptions): Promise<Sum> {
  let crc = 0
  let size = 0
  for await (const part of inflate(source, range, entry, options)) {
    crc = crc32(part, crc)
    size += part.length
  }
  return { crc, size }
}

/** Unpacks; throws FormatError as soon as there are more bytes than the directory says. */
async function* inflate(
  source: ByteSource,
  range: ByteRange,
  entry: ZipEntry,
  options: CheckOptions,
): AsyncGenerator<Uint8Array> {
  const unpacker = createInflateRaw()
  const feeding = pipeline(readBlocks(source, range, options), unpacker)
  // Reported where it is awaited; when the reader goes away before, nobody asks.
  feeding.catch(() => undefined)
  let size = 0
  try {
    for await (const part of unpacker as AsyncIterable<Uint8Array>) {
      size += part.length
      if (size > entry.size) {
        throw new FormatError(`entry ${quote(entry.name)} unpacks to more than its ${entry.size} bytes`, {
          offset: range.offset,
        })
      }
      yield part
    }
    await feeding
  } catch (error) {
    if (!isInflateError(error)) throw error
    throw new FormatError(`entry ${quote(entry.name)}: its deflated bytes do not unpack: ${error.message}`, {
      offset: range.offset,
      cause: error,
    })
  } finally {
    unpacker.destroy()
  }
}

/**
 * The bytes of an entry, unpacked where they are deflated; all of them, unless the reader goes away before. Throws
 * FormatError when there are more or fewer than the directory says, or they do not unpack.
 */
export async function* readEntry(source: ByteSource, archive: ZipArchive, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const range = await locateEntry(source, archive, entry)
  const parts = entry.method === 'stored' ? readBlocks(source, range, {}) : inflate(source, range, entry, {})
  let size = 0
  for await (const part of parts) {
    size += part.length
    yield part
  }
  if (size === entry.size) return
  throw new FormatError(`entry ${quote(entry.name)} unpacks to ${size} bytes, not ${entry.size}`, {
    offset: range.offset,
  })
}

/** The first `length` bytes of an entry, without unpacking what follows; fewer where it ends. Throws FormatError as `readEntry`. */
export async function readEntryHead(
  source: ByteSource,
  archive: ZipArchive,
  entry: ZipEntry,
  length: number,
): Promise<Uint8Array> {
  const most = Math.min(length, entry.size)
  if (entry.method === 'stored') return source.read((await locateEntry(source, archive, entry)).offset, most)
  const small = await unpackSmall(source, archive, entry)
  if (small !== null) return small.subarray(0, most)
  const bytes = new Uint8Array(most)
  let done = 0
  for await (const part of readEntry(source, archive, entry)) {
    const some = part.subarray(0, most - done)
    bytes.set(some, done)
    done += some.length
    if (done === most) break
  }
  return bytes.subarray(0, done)
}

/** Bytes, packed and unpacked, that are unpacked in one go: of thousands of small entries a stream each takes seconds. */
const smallPacked = 1 << 14
const smallUnpacked = 1 << 16

/** Null for a larger entry, and for one that does not unpack, which a stream tells more of. */
async function unpackSmall(source: ByteSource, archive: ZipArchive, entry: ZipEntry): Promise<Uint8Array | null> {
  if (entry.compressedSize > smallPacked || entry.size > smallUnpacked) return null
  const { offset, length } = await locateEntry(source, archive, entry)
  const packed = await source.read(offset, length)
  try {
    return inflateRawSync(packed, { maxOutputLength: smallUnpacked })
  } catch {
    return null
  }
}

/**
 * A small entry whole, its checksum compared where the archive has them. Throws FormatError as `readEntry` does, when
 * the checksum differs, and for an entry of more than `limit` bytes.
 */
export async function readSmallEntry(
  source: ByteSource,
  archive: ZipArchive,
  entry: ZipEntry,
  limit: number,
): Promise<Uint8Array> {
  if (entry.size > limit) {
    throw new FormatError(`entry ${quote(entry.name)} has ${entry.size} bytes, and at most ${limit} are read`)
  }
  const bytes = await wholeEntry(source, archive, entry)
  if (entry.crc32 !== 0 && crc32(bytes, 0) !== entry.crc32) {
    throw new FormatError(
      `entry ${quote(entry.name)} has the CRC-32 ${hex(crc32(bytes, 0))}, not ${hex(entry.crc32)}: its bytes changed ` +
        'after they were written',
      { offset: entry.headerOffset },
    )
  }
  return bytes
}

function isInflateError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_')
}

/** As `readEntry`; what is stored as it is, and no more than a block, needs no stream. */
async function wholeEntry(source: ByteSource, archive: ZipArchive, entry: ZipEntry): Promise<Uint8Array> {
  if (entry.method === 'stored' && entry.size <= block) {
    const { offset, length } = await locateEntry(source, archive, entry)
    return new Uint8Array(await readExactly(source, offset, length, 'an entry'))
  }
  const bytes = new Uint8Array(entry.size)
  let done = 0
  for await (const part of readEntry(source, archive, entry)) {
    bytes.set(part, done)
    done += part.length
  }
  return bytes
}

async function* readBlocks(source: ByteSource, range: ByteRange, options: CheckOptions): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < range.length; done += block) {
    if (options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
    const length = Math.min(block, range.length - done)
    yield await readExactly(source, range.offset + done, length, 'an entry')
    options.onBytes?.(length)
  }
}

function headerOf(entry: ZipEntry): string {
  return `the local header of entry ${quote(entry.name)}`
}
