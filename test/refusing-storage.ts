/** A storage on which the system refuses to read what `isRefused` picks, whoever runs the tests. */
import { StorageError } from '../src/core/errors.js'
import type { Storage } from '../src/core/storage/storage.js'

export function refusingStorage(local: Storage, errno: string, isRefused: (path: string) => boolean): Storage {
  const refusal = (path: string) => new StorageError(path, errno, `${path}: ${errno}`)
  const each =
    <T>(call: (paths: readonly string[], limit: number) => Promise<T[]>) =>
    async (paths: readonly string[], limit: number) => {
      const results = await call(paths, limit)
      return results.map((result, index) => {
        const path = paths[index] ?? ''
        return isRefused(path) ? { ok: false as const, error: refusal(path) } : result
      })
    }
  return {
    ...local,
    list: (paths) => each((all) => local.list(all))(paths, 0),
    read: (paths, limit) => each((all, most) => local.read(all, most))(paths, limit),
    mayRead: (paths) => each((all) => local.mayRead(all))(paths, 0),
    open: async (path) => {
      if (isRefused(path)) throw refusal(path)
      return local.open(path)
    },
  }
}

/** A storage on which files that `isBad` picks open, and fail with EIO once more than `from` bytes of one are read. */
export function failingAmid(local: Storage, isBad: (path: string) => boolean, from: number): Storage {
  return {
    ...local,
    open: async (path) => {
      const handle = await local.open(path)
      if (!isBad(path)) return handle
      const read = async (into: Uint8Array, position: number): Promise<number> => {
        if (position + into.length > from) throw new StorageError(path, 'EIO', `${path}: EIO`)
        return handle.read(into, position)
      }
      return { path, size: handle.size, read, stat: () => handle.stat(), close: () => handle.close() }
    },
  }
}
