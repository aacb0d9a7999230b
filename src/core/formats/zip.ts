/**
 * Zip archives as torch, numpy and Keras write them: the central directory, zip64, stored and deflated entries.
 * Nothing in the file is believed: each number is held against the file's length before it is used.
 * Source: PKWARE's APPNOTE.TXT 6.3; torch's writer, caffe2/serialize/inline_container.cc.
 */
import { isUtf8 } from 'node:buffer'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import { crc32 } from '../crc32.js'
import { CkptError, FormatError } from '../errors.js'
import type { ByteSource } from './byte-source.js'

export interface ZipEntry {
  readonly name: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  /** Bytes in the file. */
  readonly compressedSize: number
  /** Bytes when unpacked. */
  readonly size: number
  /** Where the entry's local header begins, in bytes from the start of the file. */
  readonly headerOffset: number
}

export interface ZipArchive {
  /** In the order of the central directory. */
  readonly entries: readonly ZipEntry[]
  readonly byName: ReadonlyMap<string, ZipEntry>
  /** Where the central directory begins; all entries lie before it. */
  readonly directoryOffset: number
}

/** The mark of a file whose writer was stopped: nothing tells how long it would have become. */
export class ZipEndMissing extends FormatError {}

/** A part of a file, in bytes. */
export interface ByteRange {
  readonly offset: number
  readonly length: number
}

const endSize = 22
const locatorSize = 20
const end64Size = 56
const localHeaderSize = 30
const directoryHeaderSize = 46
/** The comment after the end record is this long at most, so the record lies in the last 65,557 bytes. */
const longestComment = 0xffff
/** A million tensors need about 100 MB of directory; more than this is not read into memory. */
const largestDirectory = 1 << 28
/** Deflate makes no more than 1,032 bytes of one (zlib's technical notes). */
const highestRatio = 1032
const block = 1 << 20

const signature = { local: 0x04034b50, directory: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator: 0x07064b50 }

/**
 * Reads the central directory. No entry is opened.
 * Throws FormatError when there is no end record (a file that was cut), when a number points outside of the file,
 * or when entries overlap, share a name, are encrypted or use another method than stored and deflated.
 */
export async function readZip(source: ByteSource): Promise<ZipArchive> {
  const end = await findEnd(source)
  const directory = await readExactly(source, end.directoryOffset, end.directorySize, 'the central directory')
  const entries = parseDirectory(directory, end)
  const byName = byUniqueName(entries)
  requireDisjoint(entries, end.directoryOffset)
  return { entries, byName, directoryOffset: end.directoryOffset }
}

/** True when the checksums mean something: torch can switch them off, and writes zeros then. */
export function hasChecksums(archive: ZipArchive): boolean {
  const filled = archive.entries.filter((entry) => entry.size > 0)
  return filled.length === 0 || filled.some((entry) => entry.crc32 !== 0)
}

/**
 * Where an entry's bytes lie, by its local header: only that one knows its own length.
 * Throws FormatError when the local header is not there, or is another entry's.
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
  if (offset + entry.compressedSize > archive.directoryOffset) {
    throw new FormatError(
      `entry ${quote(entry.name)} ends at byte ${offset + entry.compressedSize}, after the central directory's start ` +
        `at byte ${archive.directoryOffset}`,
      { offset },
    )
  }
  return { offset, length: entry.compressedSize }
}

/** Sizes and checksum come behind the data, and the local header says nothing of them. */
const comesBehind = 8

/** One reader goes by the local header, another by the directory: they must not see two files. */
function requireSameSizes(local: DataView, entry: ZipEntry): void {
  const method = local.getUint16(8, true)
  const fields = [
    ['method', method, entry.method === 'stored' ? 0 : 8],
    ['CRC-32', local.getUint32(14, true), entry.crc32],
    ['packed size', local.getUint32(18, true), entry.compressedSize],
    ['size', local.getUint32(22, true), entry.size],
  ] as const
  const isBehind = (local.getUint16(6, true) & comesBehind) !== 0 || fields.slice(1).every(([, here]) => here === 0)
  const told = isBehind ? fields.slice(0, 1) : fields
  for (const [what, here, there] of told) {
    // All ones: it stands in a zip64 field.
    if (here === there || (what !== 'method' && here === 0xffffffff)) continue
    throw new FormatError(
      `the local header of entry ${quote(entry.name)} at byte ${entry.headerOffset} gives the ${what} ${here}, the ` +
        `central directory ${there}`,
      { offset: entry.headerOffset },
    )
  }
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
  /** Told after each part with the count of bytes read from the file since the last call. */
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
  // Told where it is awaited; when the reader goes away before, nobody asks.
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
  const bytes = new Uint8Array(entry.size)
  let done = 0
  for await (const part of readEntry(source, archive, entry)) {
    bytes.set(part, done)
    done += part.length
  }
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

async function* readBlocks(source: ByteSource, range: ByteRange, options: CheckOptions): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < range.length; done += block) {
    if (options.signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
    const length = Math.min(block, range.length - done)
    yield await readExactly(source, range.offset + done, length, 'an entry')
    options.onBytes?.(length)
  }
}

/** What the end records say of the central directory. */
interface End {
  readonly directoryOffset: number
  readonly directorySize: number
  readonly count: number
}

async function findEnd(source: ByteSource): Promise<End> {
  const { bytes, offset } = await readTail(source)
  const view = viewOf(bytes)
  for (let at = bytes.length - endSize; at >= 0; at -= 1) {
    if (view.getUint32(at, true) === signature.end) return readEnd(source, viewOf(bytes.subarray(at)), offset + at)
  }
  throw new ZipEndMissing(
    `no zip end record in its ${source.byteLength} bytes: it was cut, or never written to its end`,
    { offset: source.byteLength },
  )
}

/** The end record is looked for from the end backwards, past trailing bytes, as torch's reader (miniz) does. */
async function readTail(source: ByteSource): Promise<{ bytes: Uint8Array; offset: number }> {
  const length = Math.min(source.byteLength, endSize + longestComment)
  // The record is nearly always the very last one: a small read finds it.
  const small = Math.min(length, 1024)
  const near = await readExactly(source, source.byteLength - small, small, 'the end')
  if (small === length || holdsEnd(near)) return { bytes: near, offset: source.byteLength - small }
  return {
    bytes: await readExactly(source, source.byteLength - length, length, 'the end'),
    offset: source.byteLength - length,
  }
}

function holdsEnd(bytes: Uint8Array): boolean {
  const view = viewOf(bytes)
  for (let at = bytes.length - endSize; at >= 0; at -= 1) if (view.getUint32(at, true) === signature.end) return true
  return false
}

/** In the short record: the zip64 one says it. */
const elsewhere32 = 0xffffffff

async function readEnd(source: ByteSource, view: DataView, at: number): Promise<End> {
  const small = {
    disk: view.getUint16(4, true),
    directoryDisk: view.getUint16(6, true),
    countHere: view.getUint16(8, true),
    count: view.getUint16(10, true),
    directorySize: view.getUint32(12, true),
    directoryOffset: view.getUint32(16, true),
  }
  const large = await readEnd64(source, at)
  if (large !== null) {
    // One that points outside is told as that, and not only as different from the other.
    if (small.directoryOffset !== elsewhere32 && small.directorySize !== elsewhere32) {
      requireInside(small, at, source.byteLength)
    }
    requireInside(large, large.at, source.byteLength)
    requireAgreement(small, large, at)
  }
  const end = large ?? small
  const limit = large?.at ?? at
  if (end.disk !== 0 || end.directoryDisk !== 0 || end.countHere !== end.count) {
    throw new FormatError(`the archive is part ${end.disk} of several, which torch never writes`, { offset: at })
  }
  if (large === null) requireInside(small, at, source.byteLength)
  requireSensible(end, limit)
  return end
}

function requireInside(end: End, limit: number, byteLength: number): void {
  const directoryEnd = end.directoryOffset + end.directorySize
  if (directoryEnd > limit) {
    throw new FormatError(
      `the central directory lies at bytes ${end.directoryOffset} to ${directoryEnd}, outside of the ${limit} bytes ` +
        `before the end record (the file has ${byteLength})`,
      { offset: limit },
    )
  }
}

function requireSensible(end: End, limit: number): void {
  if (end.directorySize > largestDirectory) {
    throw new FormatError(
      `the central directory has ${end.directorySize} bytes, and at most ${largestDirectory} are read`,
      { offset: end.directoryOffset },
    )
  }
  if (end.count * directoryHeaderSize > end.directorySize) {
    throw new FormatError(
      `the end record counts ${end.count} entries, and the central directory's ${end.directorySize} bytes hold at most ` +
        `${Math.floor(end.directorySize / directoryHeaderSize)}`,
      { offset: limit },
    )
  }
}

interface EndRecord extends End {
  readonly disk: number
  readonly directoryDisk: number
  readonly countHere: number
}

async function readEnd64(source: ByteSource, endAt: number): Promise<(EndRecord & { at: number }) | null> {
  if (endAt < locatorSize) return null
  const locatorAt = endAt - locatorSize
  const locator = viewOf(await readExactly(source, locatorAt, locatorSize, 'the zip64 locator'))
  if (locator.getUint32(0, true) !== signature.locator) return null
  const at = toNumber(locator.getBigUint64(8, true), 'the zip64 end record', locatorAt)
  if (at + end64Size > locatorAt) {
    throw new FormatError(
      `the zip64 locator points to byte ${at}, and the record's ${end64Size} bytes must end before byte ${locatorAt}`,
      { offset: locatorAt },
    )
  }
  const view = viewOf(await readExactly(source, at, end64Size, 'the zip64 end record'))
  if (view.getUint32(0, true) !== signature.end64) {
    throw new FormatError(
      `the zip64 end record at byte ${at} begins with ${hex(view.getUint32(0, true))}, not ${hex(signature.end64)}`,
      { offset: at },
    )
  }
  return {
    at,
    disk: view.getUint32(16, true),
    directoryDisk: view.getUint32(20, true),
    countHere: toNumber(view.getBigUint64(24, true), 'the count of entries', at),
    count: toNumber(view.getBigUint64(32, true), 'the count of entries', at),
    directorySize: toNumber(view.getBigUint64(40, true), "the central directory's size", at),
    directoryOffset: toNumber(view.getBigUint64(48, true), "the central directory's offset", at),
  }
}

/** Two readers must not see two archives: what the short record says in full must be what the zip64 one says. */
function requireAgreement(small: EndRecord, large: EndRecord, at: number): void {
  const fields = [
    ['count of entries', small.count, large.count, 0xffff],
    ['directory size', small.directorySize, large.directorySize, elsewhere32],
    ['directory offset', small.directoryOffset, large.directoryOffset, elsewhere32],
    ['number of this part', small.disk, large.disk, 0xffff],
    ['part of the directory', small.directoryDisk, large.directoryDisk, 0xffff],
    ['count of entries in this part', small.countHere, large.countHere, 0xffff],
  ] as const
  for (const [what, short, long, elsewhere] of fields) {
    if (short !== elsewhere && short !== long) {
      throw new FormatError(`the end records disagree on the ${what}: ${short}, and ${long} in zip64`, { offset: at })
    }
  }
}

const noExtra = new DataView(new ArrayBuffer(0))

function parseDirectory(bytes: Uint8Array, end: End): ZipEntry[] {
  const view = viewOf(bytes)
  const buffer = bufferOf(bytes)
  const entries: ZipEntry[] = []
  let at = 0
  while (at < bytes.length && entries.length < end.count) {
    const offset = end.directoryOffset + at
    if (at + directoryHeaderSize > bytes.length) throw cutDirectory(entries.length, end, offset)
    if (view.getUint32(at, true) !== signature.directory) {
      throw new FormatError(
        `entry ${entries.length} of the central directory, at byte ${offset}, begins with ` +
          `${hex(view.getUint32(at, true))}, not ${hex(signature.directory)}`,
        { offset },
      )
    }
    const nameLength = view.getUint16(at + 28, true)
    const extraLength = view.getUint16(at + 30, true)
    const next = at + directoryHeaderSize + nameLength + extraLength + view.getUint16(at + 32, true)
    if (next > bytes.length) throw cutDirectory(entries.length, end, offset)
    const nameAt = at + directoryHeaderSize
    const name = decodeName(buffer, nameAt, nameAt + nameLength)
    const extraAt = nameAt + nameLength
    const extra = extraLength === 0 ? noExtra : viewOf(bytes.subarray(extraAt, extraAt + extraLength))
    entries.push(parseEntry(view, at, extra, name, offset))
    at = next
  }
  if (entries.length !== end.count) throw cutDirectory(entries.length, end, end.directoryOffset + at)
  if (at !== bytes.length) {
    throw new FormatError(
      `the end record counts ${end.count} entries, and the central directory goes on for ${bytes.length - at} bytes ` +
        'behind them',
      { offset: end.directoryOffset + at },
    )
  }
  return entries
}

function cutDirectory(read: number, end: End, offset: number): FormatError {
  return new FormatError(
    `the central directory ends after ${read} of ${end.count} entries (its ${end.directorySize} bytes begin at byte ` +
      `${end.directoryOffset})`,
    { offset },
  )
}

/** The entry whose header begins at `at` of the directory, and at `offset` of the file. */
function parseEntry(view: DataView, at: number, extra: DataView, name: string, offset: number): ZipEntry {
  const flags = view.getUint16(at + 8, true)
  if ((flags & 0x2041) !== 0) throw new FormatError(`entry ${quote(name)} is encrypted`, { offset })
  const sizes = readSizes(view, at, extra, name, offset)
  const method = methodOf(view.getUint16(at + 10, true), name, offset)
  if (method === 'stored' && sizes.size !== sizes.compressedSize) {
    throw new FormatError(
      `entry ${quote(name)} is stored as it is, but with two sizes: ${sizes.compressedSize} and ${sizes.size} bytes`,
      { offset },
    )
  }
  if (sizes.size > sizes.compressedSize * highestRatio) {
    throw new FormatError(
      `entry ${quote(name)}: ${sizes.compressedSize} deflated bytes cannot hold the ${sizes.size} that are claimed`,
      { offset },
    )
  }
  const { compressedSize, size, headerOffset } = sizes
  return { name, method, crc32: view.getUint32(at + 16, true), compressedSize, size, headerOffset }
}

function methodOf(method: number, name: string, offset: number): ZipEntry['method'] {
  if (method === 0) return 'stored'
  if (method === 8) return 'deflated'
  throw new FormatError(`entry ${quote(name)} is packed by method ${method}; known are 0 (stored) and 8 (deflated)`, {
    offset,
  })
}

type Sizes = Pick<ZipEntry, 'compressedSize' | 'size' | 'headerOffset'>

/** What does not fit 32 bits is all ones there and stands in the zip64 extra field, in this order (APPNOTE 4.5.3). */
function readSizes(view: DataView, at: number, extra: DataView, name: string, offset: number): Sizes {
  const field = findZip64(extra, name, offset)
  let next = field?.start ?? 0
  const read = (short: number, what: string): number => {
    if (short !== 0xffffffff) return short
    if (field === null || next + 8 > field.end) {
      throw new FormatError(`entry ${quote(name)}: its ${what} should stand in a zip64 field, which is not there`, {
        offset,
      })
    }
    const value = extra.getBigUint64(next, true)
    next += 8
    return toNumber(value, `the ${what} of entry ${quote(name)}`, offset)
  }
  const size = read(view.getUint32(at + 24, true), 'size')
  const compressedSize = read(view.getUint32(at + 20, true), 'packed size')
  const headerOffset = read(view.getUint32(at + 42, true), 'offset')
  return { size, compressedSize, headerOffset }
}

function findZip64(extra: DataView, name: string, offset: number): { start: number; end: number } | null {
  for (let at = 0; at + 4 <= extra.byteLength;) {
    const start = at + 4
    const end = start + extra.getUint16(at + 2, true)
    if (end > extra.byteLength) {
      throw new FormatError(
        `entry ${quote(name)}: an extra field of ${end - start} bytes, and ${extra.byteLength - start} are left for it`,
        { offset },
      )
    }
    if (extra.getUint16(at, true) === 1) return { start, end }
    at = end
  }
  return null
}

function byUniqueName(entries: readonly ZipEntry[]): Map<string, ZipEntry> {
  const byName = new Map<string, ZipEntry>()
  for (const entry of entries) {
    if (byName.has(entry.name)) throw new FormatError(`two entries have the name ${quote(entry.name)}`)
    byName.set(entry.name, entry)
  }
  return byName
}

function requireDisjoint(entries: readonly ZipEntry[], directoryOffset: number): void {
  const isSorted = entries.every((entry, index) => entry.headerOffset >= (entries[index - 1]?.headerOffset ?? 0))
  const sorted = isSorted ? entries : entries.toSorted((a, b) => a.headerOffset - b.headerOffset)
  sorted.forEach((entry, index) => {
    const least = localHeaderSize + entry.name.length + entry.compressedSize
    const next = sorted[index + 1]
    const limit = next?.headerOffset ?? directoryOffset
    if (entry.headerOffset + least <= limit) return
    const what = next === undefined ? 'the central directory' : `entry ${quote(next.name)}`
    throw new FormatError(
      `entry ${quote(entry.name)} at byte ${entry.headerOffset} takes at least ${least} bytes and so reaches into ` +
        `${what} at byte ${limit}`,
      { offset: entry.headerOffset },
    )
  })
}

async function readExactly(source: ByteSource, offset: number, length: number, what: string): Promise<Uint8Array> {
  if (offset + length > source.byteLength) {
    throw new FormatError(
      `${what} needs bytes ${offset} to ${offset + length}, and the file has ${source.byteLength}`,
      { offset },
    )
  }
  const bytes = await source.read(offset, length)
  if (bytes.length === length) return bytes
  throw new FormatError(`${what}: ${bytes.length} of ${length} bytes at byte ${offset}; the file became shorter`, {
    offset,
  })
}

/** UTF-8, or what older programs take names for. */
function decodeName(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end)
  if (!text.includes('\uFFFD') || isUtf8(bytes.subarray(start, end))) return text
  return bytes.toString('latin1', start, end)
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

function toNumber(value: bigint, what: string, offset: number): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw new FormatError(`${what} is ${value}, more than any file holds`, { offset })
}

function headerOf(entry: ZipEntry): string {
  return `the local header of entry ${quote(entry.name)}`
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}

function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}
