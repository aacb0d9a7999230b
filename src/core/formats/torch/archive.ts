/**
 * The zip archive that torch reads: stored records whose data begins at multiples of 64, their checksums behind them,
 * and zip64 where 32 bits do not do (PyTorch: caffe2/serialize/inline_container.cc, third_party/miniz). Pure: it gives
 * the bytes that stand around the data.
 */
import { ByteWriter } from '../bytes/byte-writer.js'

export interface ArchiveRecord {
  /** `archive/data/0`. */
  readonly name: string
  /** Bytes of its data. */
  readonly size: number
  /** Where its header begins. */
  readonly offset: number
}

export interface ClosedRecord extends ArchiveRecord {
  readonly crc32: number
}

const alignment = 64
const largest32 = 0xffffffff
const largest16 = 0xffff
/** UTF-8 names; sizes and checksum behind the data. */
const flags = 0x0808
/** Of a record without data, which has nothing behind it. */
const flagsOfEmpty = 0x0800
const localHeaderLength = 30
/** A zip64 block of two sizes. */
const zip64Length = 20
/** Name and length of a block of extra data. */
const blockHead = 4
const zip64Block = 0x0001
/** `FB`, torch's own, which only pads. */
const paddingBlock = 0x4246
const zip64Version = 45

function isLarge({ size, offset }: ArchiveRecord): boolean {
  return size >= largest32 || offset >= largest32
}

function flagsOf({ size }: ArchiveRecord): number {
  return size === 0 ? flagsOfEmpty : flags
}

/** What stands before a record's data, so long that the data is aligned. */
export function recordHeader(record: ArchiveRecord): Uint8Array {
  const name = new TextEncoder().encode(record.name)
  const zip64 = isLarge(record) ? zip64Length : 0
  const least = record.offset + localHeaderLength + name.length + zip64 + blockHead
  const padding = (alignment - (least % alignment)) % alignment
  const writer = new ByteWriter()
  writer
    .u32(0x04034b50)
    .u16(isLarge(record) ? zip64Version : 0)
    .u16(flagsOf(record))
  // Stored; no time and date; checksum and sizes come behind.
  writer.u16(0).u32(0).u32(0)
  if (isLarge(record)) writer.u32(largest32).u32(largest32)
  else writer.u32(0).u32(0)
  writer
    .u16(name.length)
    .u16(zip64 + blockHead + padding)
    .put(name)
  if (isLarge(record))
    writer
      .u16(zip64Block)
      .u16(zip64Length - blockHead)
      .u64(record.size)
      .u64(record.size)
  writer.u16(paddingBlock).u16(padding).fill(0x5a, padding)
  return writer.finish()
}

/** What stands behind a record's data. */
export function recordTrailer(record: ClosedRecord): Uint8Array {
  const writer = new ByteWriter()
  if (record.size === 0) return writer.finish()
  writer.u32(0x08074b50).u32(record.crc32)
  if (isLarge(record)) writer.u64(record.size).u64(record.size)
  else writer.u32(record.size).u32(record.size)
  return writer.finish()
}

/** The directory of all records, which begins at byte `offset`, and the three records that end an archive. */
export function archiveEnd(records: readonly ClosedRecord[], offset: number): Uint8Array {
  const writer = new ByteWriter()
  for (const record of records) writeEntry(writer, record)
  const length = writer.length
  writer.u32(0x06064b50).u64(44).u16(zip64Version).u16(zip64Version).u32(0).u32(0)
  writer.u64(records.length).u64(records.length).u64(length).u64(offset)
  writer
    .u32(0x07064b50)
    .u32(0)
    .u64(offset + length)
    .u32(1)
  const count = Math.min(records.length, largest16)
  writer.u32(0x06054b50).u16(0).u16(0).u16(count).u16(count)
  return writer.u32(Math.min(length, largest32)).u32(Math.min(offset, largest32)).u16(0).finish()
}

function writeEntry(writer: ByteWriter, record: ClosedRecord): void {
  const { size, offset } = record
  const name = new TextEncoder().encode(record.name)
  const large = [...(size >= largest32 ? [size, size] : []), ...(offset >= largest32 ? [offset] : [])]
  const version = large.length > 0 ? zip64Version : 0
  writer.u32(0x02014b50).u16(version).u16(version).u16(flagsOf(record)).u16(0).u32(0).u32(record.crc32)
  writer.u32(Math.min(size, largest32)).u32(Math.min(size, largest32)).u16(name.length)
  writer.u16(large.length === 0 ? 0 : blockHead + 8 * large.length)
  // No comment, first disk, no attributes.
  writer.u16(0).u16(0).u16(0).u32(0).u32(Math.min(offset, largest32)).put(name)
  if (large.length === 0) return
  writer.u16(zip64Block).u16(8 * large.length)
  for (const value of large) writer.u64(value)
}
