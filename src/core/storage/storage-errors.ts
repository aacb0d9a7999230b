/** The system's failures, as errors of ckpt. */
import { constants } from 'node:os'
import { isFull, StorageError } from '../errors.js'
import type { Result } from './storage.js'

export function resultOf<T>(path: string, call: () => T): Result<T> {
  try {
    return { ok: true, value: call() }
  } catch (error) {
    return { ok: false, error: toStorageError(path, error) }
  }
}

/** The same for each path. */
export function resultOfEach<T>(paths: readonly string[], call: (path: string) => T): Result<T>[] {
  const answers: Result<T>[] = []
  for (const path of paths) {
    try {
      answers.push({ ok: true, value: call(path) })
    } catch (error) {
      answers.push({ ok: false, error: toStorageError(path, error) })
    }
  }
  return answers
}

/** Throws what the call throws as a StorageError of that path. */
export function throwingStorageErrors<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw toStorageError(path, error)
  }
}

/** By their numbers, codes that Node knows and gives no name to: libuv's list (uv.h, UV_ERRNO_MAP) lacks them. */
const unnamed: ReadonlyMap<unknown, string> = new Map(
  (['EDQUOT', 'ESTALE'] as const).map((name) => [-constants.errno[name], name]),
)

/** The system's own word for what failed; Node's `Unknown system error -122` of a used-up quota is `EDQUOT`. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  const isNamed = !error.code.startsWith('Unknown system error')
  return isNamed || !('errno' in error) ? error.code : (unnamed.get(error.errno) ?? error.code)
}

/** What the system's codes mean to a person; others are shown as they are. */
const meanings: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of this path is not a directory',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'it exists already',
  EXDEV: 'the two paths lie on different file systems',
  ENOTEMPTY: 'the directory is not empty',
  ELOOP: 'a symbolic link leads to itself',
  ESTALE: 'it was replaced meanwhile, or its server no longer knows it',
  EIO: 'the device reported an I/O error',
}

export function toStorageError(path: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error
  const errno = errnoOf(error)
  if (errno === undefined) throw error
  return storageErrorOf(path, errno, error)
}

export function storageErrorOf(path: string, errno: string, cause?: unknown): StorageError {
  const hint = isFull(errno)
    ? 'make space there (ckpt prune and ckpt trash empty free some), then try again'
    : undefined
  return new StorageError(path, errno, `${path}: ${meanings[errno] ?? errno}`, { cause, ...(hint && { hint }) })
}
