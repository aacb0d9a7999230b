/** A tensor's bytes: where they lie, or how they are put together. */
import { CkptError, FormatError } from '../../errors.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'

/** Bytes that lie together in an open file. */
export interface Extent {
  readonly handle: ReadHandle
  /** Bytes from the start of the file. */
  readonly position: number
  /** Bytes. */
  readonly length: number
}

/** Bytes that must be put together on the way: a strided view, packed bytes, a conjugate. */
export interface TensorStream {
  /** Bytes. */
  readonly length: number
  /** The first `length` bytes, in chunks of whole elements and about `chunk` bytes. Each is valid until the next is asked for. */
  read(length: number, chunk: number): AsyncGenerator<Uint8Array>
  /** The same bytes as pieces that lie one behind the other, where they do: each can be copied as it is. */
  readonly parts?: readonly TensorPart[]
}

/** Opened when it is needed. */
export interface TensorPart {
  /** Bytes. */
  readonly length: number
  open(): Promise<TensorData>
}

export type TensorData = Extent | TensorStream

/** True for bytes that lie together and need no work. */
export function isExtent(data: TensorData): data is Extent {
  return 'handle' in data
}

/** The first `length` bytes of what `data` gives. */
export function firstOf(data: TensorData, length: number): TensorData {
  return isExtent(data) ? { ...data, length } : { length, read: (_, chunk) => data.read(length, chunk) }
}

/** All parts as one. */
export function joinParts(parts: readonly TensorPart[]): TensorStream {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return { length, read: (wanted, chunk) => readParts(parts, wanted, chunk), parts }
}

async function* readParts(parts: readonly TensorPart[], length: number, chunk: number): AsyncGenerator<Uint8Array> {
  let left = length
  for (const part of parts) {
    if (left === 0) return
    const wanted = Math.min(left, part.length)
    yield* chunksOf(firstOf(await part.open(), wanted), chunk)
    left -= wanted
  }
}

/** A tensor's bytes in chunks of about `chunk` bytes, at most that many where they lie together. Each is valid until the next is asked for. */
export function chunksOf(data: TensorData, chunk = 1 << 20): AsyncGenerator<Uint8Array> {
  return isExtent(data) ? chunksOfExtent(data, chunk) : data.read(data.length, chunk)
}

/** All bytes, for what reading them finds out. Throws FormatError where a checksum differs. */
export async function readThrough(data: TensorData): Promise<void> {
  const chunks = chunksOf(data)
  while ((await chunks.next()).done !== true);
}

async function* chunksOfExtent(extent: Extent, chunk: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(chunk, extent.length))
  for (let done = 0; done < extent.length;) {
    const part = buffer.subarray(0, Math.min(chunk, extent.length - done))
    await readExactly(extent.handle, part, extent.position + done)
    yield part
    done += part.length
  }
}

/** Fills `into`; throws FormatError when the file ends before. */
export async function readExactly(handle: ReadHandle, into: Uint8Array, position: number): Promise<void> {
  const count = await handle.read(into, position)
  if (count < into.length) throw endsEarly(handle, position + count, position + into.length)
}

function endsEarly(handle: ReadHandle, at: number, wanted: number): FormatError {
  return new FormatError(
    `${handle.path}: ends at byte ${at} while ${wanted} were expected; it was cut off while it was read`,
    {
      offset: at,
    },
  )
}

/** Throws CkptError `damaged` when an open file is not what it was. */
export async function ensureSame(handle: ReadHandle, before: Stat): Promise<void> {
  const now = await handle.stat()
  if (now.size === before.size && now.modified === before.modified) return
  throw new CkptError(
    'damaged',
    `${handle.path}: changed while it was read (${before.size} bytes before, ${now.size} after)`,
    { hint: 'wait until its writer has finished, then try again' },
  )
}
