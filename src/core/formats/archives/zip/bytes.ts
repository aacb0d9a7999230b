/** Bytes of a zip archive, and how to tell of them. */
import { isUtf8 } from 'node:buffer'
import { FormatError } from '../../../errors.js'
import type { ByteSource } from '../../bytes/byte-source.js'

export const signature = {
  local: 0x04034b50,
  directory: 0x02014b50,
  descriptor: 0x08074b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator: 0x07064b50,
}
export const localHeaderSize = 30
export const directoryHeaderSize = 46

export async function readExactly(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
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
export function decodeName(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end)
  if (!text.includes('\uFFFD') || isUtf8(bytes.subarray(start, end))) return text
  return bytes.toString('latin1', start, end)
}

export function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

export function toNumber(value: bigint, what: string, offset: number): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw new FormatError(`${what} is ${value}, more than any file holds`, { offset })
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`
}

export function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}
