/** The records behind a zip archive's central directory, which tell where it lies (APPNOTE 4.3.14 to 4.3.16). */
import { FormatError } from '../../../errors.js'
import type { ByteSource } from '../../bytes/byte-source.js'
import { directoryHeaderSize, hex, readExactly, signature, toNumber, viewOf } from './bytes.js'

/** The mark of a file whose writer was stopped: nothing tells how long it would have become. */
export class ZipEndMissing extends FormatError {}

const endSize = 22
const locatorSize = 20
const end64Size = 56
/** The comment after the end record is this long at most, so the record lies in the last 65,557 bytes. */
const longestComment = 0xffff
/** Bytes at the end of a file in which the record is looked for. */
export const tailLength = endSize + longestComment
/** A million tensors need about 100 MB of directory; more than this is not read into memory. */
const largestDirectory = 1 << 28

/** What the end records say of the central directory. */
export interface End {
  readonly directoryOffset: number
  readonly directorySize: number
  readonly count: number
}

/** Throws ZipEndMissing where there is none, and FormatError where a number in it points outside of the file. */
export async function findEnd(source: ByteSource): Promise<End> {
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
  const length = Math.min(source.byteLength, tailLength)
  // The record is nearly always the very last one: a small read finds it.
  const small = Math.min(length, 1024)
  const near = await readExactly(source, source.byteLength - small, small, 'the end')
  if (small === length || holdsEnd(near)) return { bytes: near, offset: source.byteLength - small }
  return {
    bytes: await readExactly(source, source.byteLength - length, length, 'the end'),
    offset: source.byteLength - length,
  }
}

/** Whether an archive of that length ends there: its end record is the last there is. */
export async function endsAt(source: ByteSource, length: number): Promise<boolean> {
  const bytes = await source.read(Math.max(0, length - endSize), 4)
  return bytes.length === 4 && viewOf(bytes).getUint32(0, true) === signature.end
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
    // One that points outside is reported as that, and not only as different from the other.
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
