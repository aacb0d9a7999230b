/** Whether a gzip file unpacks to its end: its trailer has the CRC-32 and the length of what was packed (RFC 1952). */
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { FormatError } from '../errors.js'
import type { ByteSource } from './byte-source.js'

const chunkSize = 1 << 20

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b
}

/** Unpacks it in bounded memory; gives the first bytes of what was packed. Throws FormatError where it does not unpack. */
export async function checkGzip(source: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < source.byteLength; at += chunkSize) yield await source.read(at, chunkSize)
  }
  let first: Uint8Array | undefined
  let done = 0
  const take = async (parts: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const part of parts) {
      first ??= Uint8Array.from(part.subarray(0, 512))
      done += part.length
      if (signal?.aborted === true) return
    }
  }
  try {
    await pipeline(chunks, createGunzip(), take)
  } catch (error) {
    if (!isOfZlib(error)) throw error
    const how = error.code === 'Z_BUF_ERROR' ? `ends early: ${source.byteLength} bytes` : `is broken (${error.message})`
    throw new FormatError(`gzip: ${how}, after ${done} bytes that were unpacked`, { cause: error })
  }
  return first ?? new Uint8Array(0)
}

function isOfZlib(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_')
}
