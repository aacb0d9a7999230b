/**
 * Remembered files as bytes. A record is a mark that names the reader's version, then the entries: each has its length
 * and CRC-32, then path, state, facts and extents. An entry with a wrong checksum, or with lengths that do not fit, is
 * left out.
 */
import { crc32 } from '../../formats/bytes/crc32.js'
import { mostOfFile, type Extent, type RememberedFile } from './scan-memory.js'

/** The number changes with the form of a record. The version is there as another one may make other facts of the same bytes. */
const markOf = (reader: string): Buffer => Buffer.from(`ckpt scan 2 ${JSON.stringify(reader)}\n`)
const answerMarkOf = (reader: string): Buffer => Buffer.from(`ckpt answer 1 ${JSON.stringify(reader)}\n`)
const sumLength = 4
/** Bytes. */
const longestPath = 65_535
const longestFacts = 1 << 20
const mostExtents = 4096
/** Length and checksum before an entry; in it the length of the path, the state, the length of the facts, the count of extents. */
const headLength = 8
const stateLength = 5 * 8
const extentHead = 12

/** `reader` is the version of what made the facts. */
export function encodeFiles(files: readonly RememberedFile[], reader: string): Uint8Array {
  return Buffer.concat([markOf(reader), ...files.flatMap(encodeFile)])
}

function encodeFile({ path, state, extents, facts }: RememberedFile): Uint8Array[] {
  const name = Buffer.from(path)
  const factBytes = Buffer.from(facts)
  if (name.length > longestPath || extents.length > mostExtents || factBytes.length > longestFacts) return []
  const fixed = Buffer.alloc(2 + name.length + stateLength + 4 + factBytes.length + 2)
  fixed.writeUInt16LE(name.length, 0)
  name.copy(fixed, 2)
  const { device, inode, size, modifiedNs, changedNs } = state
  let at = 2 + name.length
  for (const value of [device, inode, BigInt(size)]) at = fixed.writeBigUInt64LE(BigInt.asUintN(64, value), at)
  for (const value of [modifiedNs, changedNs]) at = fixed.writeBigInt64LE(BigInt.asIntN(64, value), at)
  at = fixed.writeUInt32LE(factBytes.length, at)
  at += factBytes.copy(fixed, at)
  fixed.writeUInt16LE(extents.length, at)
  const body = Buffer.concat([fixed, ...extents.flatMap(encodeExtent)])
  const head = Buffer.alloc(headLength)
  head.writeUInt32LE(body.length, 0)
  head.writeUInt32LE(crc32(body, 0), 4)
  return [head, body]
}

function encodeExtent({ position, bytes }: Extent): Uint8Array[] {
  const head = Buffer.alloc(extentHead)
  head.writeBigUInt64LE(BigInt(position), 0)
  head.writeUInt32LE(bytes.length, 8)
  return [head, bytes]
}

/** What can be read of the record; nothing where it is none. */
export function decodeFiles(record: Uint8Array, reader: string): RememberedFile[] {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  const files: RememberedFile[] = []
  const mark = markOf(reader)
  if (!bytes.subarray(0, mark.length).equals(mark)) return files
  for (let at = mark.length; at + headLength <= bytes.length;) {
    const length = bytes.readUInt32LE(at)
    const sum = bytes.readUInt32LE(at + 4)
    at += headLength
    if (length > bytes.length - at) return files
    const body = bytes.subarray(at, at + length)
    at += length
    const file = crc32(body, 0) === sum ? decodeFile(body) : null
    if (file !== null) files.push(file)
  }
  return files
}

function decodeFile(body: Buffer): RememberedFile | null {
  if (body.length < 2) return null
  const pathEnd = 2 + body.readUInt16LE(0)
  const stateEnd = pathEnd + stateLength
  if (stateEnd + 4 > body.length) return null
  const factsEnd = stateEnd + 4 + body.readUInt32LE(stateEnd)
  if (factsEnd + 2 > body.length || factsEnd - stateEnd > longestFacts + 4) return null
  const size = Number(body.readBigUInt64LE(pathEnd + 16))
  const state = {
    device: body.readBigUInt64LE(pathEnd),
    inode: body.readBigUInt64LE(pathEnd + 8),
    size,
    modifiedNs: body.readBigInt64LE(pathEnd + 24),
    changedNs: body.readBigInt64LE(pathEnd + 32),
  }
  const count = body.readUInt16LE(factsEnd)
  const extents = decodeExtents(body.subarray(factsEnd + 2), count, size)
  const facts = body.toString('utf8', stateEnd + 4, factsEnd)
  return extents === null ? null : { path: body.toString('utf8', 2, pathEnd), state, extents, facts }
}

/** Null where they do not fill `rest` exactly, or reach beyond the end of the file. */
function decodeExtents(rest: Buffer, count: number, size: number): Extent[] | null {
  if (count > mostExtents || !Number.isSafeInteger(size)) return null
  const extents: Extent[] = []
  let at = 0
  for (let index = 0; index < count; index += 1) {
    if (at + extentHead > rest.length) return null
    const position = Number(rest.readBigUInt64LE(at))
    const length = rest.readUInt32LE(at + 8)
    at += extentHead
    if (length > mostOfFile || length > rest.length - at || position + length > size) return null
    extents.push({ position, bytes: rest.subarray(at, at + length) })
    at += length
  }
  return at === rest.length ? extents : null
}

/** One answer as bytes: a mark, the CRC-32 of the text, the text. */
export function encodeAnswer(text: string, reader: string): Uint8Array {
  const body = Buffer.from(text)
  const sum = Buffer.alloc(sumLength)
  sum.writeUInt32LE(crc32(body, 0))
  return Buffer.concat([answerMarkOf(reader), sum, body])
}

/** Null where the bytes are damaged or another version wrote them. */
export function decodeAnswer(record: Uint8Array, reader: string): string | null {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  const mark = answerMarkOf(reader)
  const start = mark.length + sumLength
  if (bytes.length < start || !bytes.subarray(0, mark.length).equals(mark)) return null
  const body = bytes.subarray(start)
  return crc32(body, 0) === bytes.readUInt32LE(mark.length) ? body.toString() : null
}
