/** Files as what the readers of formats ask for (formats/bytes/byte-source.ts). */
import { CkptError, StorageError } from '../errors.js'
import type { ReadHandle, ReadStorage } from './storage.js'

/** A file's bytes by place. Offsets and lengths are bytes. */
export interface FileSource {
  readonly byteLength: number
  /** `length` bytes from `offset`, fewer where the file ends. */
  read(offset: number, length: number): Promise<Uint8Array>
}

export function sourceOf(handle: ReadHandle): FileSource {
  return {
    byteLength: handle.size,
    read: async (offset, length) => {
      const { head } = handle
      if (head !== undefined && offset + length <= head.length) return head.subarray(offset, offset + length)
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, handle.size - offset)))
      return bytes.subarray(0, await handle.read(bytes, offset))
    },
  }
}

/** The same source, of which nothing more is read once the signal says so. Throws CkptError `interrupted` then. */
export function untilAborted(source: FileSource, signal: AbortSignal | undefined): FileSource {
  if (signal === undefined) return source
  return {
    byteLength: source.byteLength,
    read: async (offset, length) => {
      if (signal.aborted) throw new CkptError('interrupted', 'interrupted while reading')
      return source.read(offset, length)
    },
  }
}

/** The first bytes of a file and its size; null when it cannot be read. */
export async function readHead(
  storage: ReadStorage,
  path: string,
  length: number,
): Promise<{ bytes: Uint8Array; size: number } | null> {
  try {
    return await withFile(storage, path, async (handle) => ({
      bytes: await sourceOf(handle).read(0, length),
      size: handle.size,
    }))
  } catch (error) {
    if (error instanceof StorageError) return null
    throw error
  }
}

export async function withFile<T>(
  storage: ReadStorage,
  path: string,
  use: (handle: ReadHandle) => Promise<T>,
): Promise<T> {
  const handle = await storage.open(path)
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}
