/** Zip archives for tests, made byte by byte so that each lie in them can be told apart. */
import { crc32, deflateRawSync } from 'node:zlib'

export interface Part {
  readonly name: string
  readonly data: Uint8Array
  readonly deflate?: boolean
  /** In place of the true checksum. */
  readonly crc?: number
  /** In place of the true sizes. */
  readonly size?: number
  readonly compressedSize?: number
  readonly headerOffset?: number
  readonly method?: number
  readonly flags?: number
  /** All three of size, packed size and offset stand in a zip64 field. */
  readonly zip64?: boolean
  readonly localName?: string
  /** In place of what torch writes into the local header. */
  readonly local?: {
    readonly flags?: number
    readonly method?: number
    readonly crc?: number
    readonly size?: number
    readonly extraLength?: number
  }
  /** In place of the descriptor that comes behind the data. */
  readonly behind?: Uint8Array
}

export interface Shape {
  /** torch writes the zip64 end record and its locator into every file. */
  readonly zip64?: boolean
  readonly count?: number
  readonly directoryOffset?: number
  readonly directorySize?: number
  readonly trailing?: Uint8Array
}

export function makeZip(parts: readonly Part[], shape: Shape = {}): Buffer {
  const chunks: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  const put = (bytes: Buffer): void => {
    chunks.push(bytes)
    at += bytes.length
  }
  for (const part of parts) {
    const offset = at
    const packed = part.deflate === true ? deflateRawSync(part.data) : Buffer.from(part.data)
    put(localHeader(part))
    put(packed)
    put(Buffer.from(part.behind ?? descriptor(part, packed)))
    directory.push(directoryEntry(part, packed, offset))
  }
  const start = at
  const bytes = Buffer.concat(directory)
  put(bytes)
  const numbers = {
    count: shape.count ?? parts.length,
    size: shape.directorySize ?? bytes.length,
    offset: shape.directoryOffset ?? start,
  }
  if (shape.zip64 === true) put(end64(numbers, at))
  put(end(numbers))
  put(Buffer.from(shape.trailing ?? []))
  return Buffer.concat(chunks)
}

function localHeader(part: Part): Buffer {
  const name = Buffer.from(part.localName ?? part.name)
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  const { flags = 0x0808, method = methodOf(part), crc = 0, size = 0 } = part.local ?? {}
  header.writeUInt16LE(flags, 6)
  header.writeUInt16LE(method, 8)
  header.writeUInt32LE(crc, 14)
  header.writeUInt32LE(size, 18)
  header.writeUInt32LE(size, 22)
  header.writeUInt16LE(name.length, 26)
  // Padding as torch adds it, so that the local extra field differs from the directory's.
  const padding = Buffer.from('FB\x04\0ZZZZ', 'latin1')
  header.writeUInt16LE(part.local?.extraLength ?? padding.length, 28)
  return Buffer.concat([header, name, padding])
}

function methodOf(part: Part): number {
  return part.method ?? (part.deflate === true ? 8 : 0)
}

function descriptor(part: Part, packed: Buffer): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32LE(0x08074b50, 0)
  bytes.writeUInt32LE(part.crc ?? crc32(part.data), 4)
  bytes.writeUInt32LE(packed.length, 8)
  bytes.writeUInt32LE(part.data.length, 12)
  return bytes
}

function directoryEntry(part: Part, packed: Buffer, at: number): Buffer {
  const name = Buffer.from(part.name)
  const header = Buffer.alloc(46)
  const size = part.size ?? part.data.length
  const compressed = part.compressedSize ?? packed.length
  const offset = part.headerOffset ?? at
  const large = part.zip64 === true
  header.writeUInt32LE(0x02014b50, 0)
  header.writeUInt16LE(part.flags ?? 0x0808, 8)
  header.writeUInt16LE(methodOf(part), 10)
  header.writeUInt32LE(part.crc ?? crc32(part.data), 16)
  header.writeUInt32LE(large ? 0xffffffff : compressed, 20)
  header.writeUInt32LE(large ? 0xffffffff : size, 24)
  header.writeUInt16LE(name.length, 28)
  header.writeUInt32LE(large ? 0xffffffff : offset, 42)
  if (!large) return Buffer.concat([header, name])
  const extra = Buffer.alloc(28)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(24, 2)
  extra.writeBigUInt64LE(BigInt(size), 4)
  extra.writeBigUInt64LE(BigInt(compressed), 12)
  extra.writeBigUInt64LE(BigInt(offset), 20)
  header.writeUInt16LE(extra.length, 30)
  return Buffer.concat([header, name, extra])
}

interface Numbers {
  readonly count: number
  readonly size: number
  readonly offset: number
}

function end({ count, size, offset }: Numbers): Buffer {
  const bytes = Buffer.alloc(22)
  bytes.writeUInt32LE(0x06054b50, 0)
  bytes.writeUInt16LE(Math.min(count, 0xffff), 8)
  bytes.writeUInt16LE(Math.min(count, 0xffff), 10)
  bytes.writeUInt32LE(Math.min(size, 0xffffffff), 12)
  bytes.writeUInt32LE(Math.min(offset, 0xffffffff), 16)
  return bytes
}

function end64({ count, size, offset }: Numbers, at: number): Buffer {
  const bytes = Buffer.alloc(76)
  bytes.writeUInt32LE(0x06064b50, 0)
  bytes.writeBigUInt64LE(44n, 4)
  bytes.writeBigUInt64LE(BigInt(count), 24)
  bytes.writeBigUInt64LE(BigInt(count), 32)
  bytes.writeBigUInt64LE(BigInt(size), 40)
  bytes.writeBigUInt64LE(BigInt(offset), 48)
  bytes.writeUInt32LE(0x07064b50, 56)
  bytes.writeBigUInt64LE(BigInt(at), 64)
  bytes.writeUInt32LE(1, 72)
  return bytes
}
