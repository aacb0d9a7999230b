/** Files of tensors that people named, opened for their values. */
import { basename, dirname, sep } from 'node:path'
import { CkptError, isUnreadable, reasonOf, StorageError } from '../../errors.js'
import { isIndexName } from '../../formats/safetensors/weight-map.js'
import type { ReadStorage } from '../../storage/storage.js'
import { openTensors } from './open-lazily.js'
import { ensureSafe, type TensorFile } from './tensor.js'

/**
 * Throws as `openTensors` does, FormatError for a file that would run code when Python loads it, and CkptError
 * `unreadable` for one that the system refuses to read.
 */
export async function openSafely(storage: ReadStorage, path: string): Promise<TensorFile> {
  const file = await readingNamed(path, () => openTensors(storage, path))
  try {
    ensureSafe(file)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Does `work`, which reads the named files (or folders); where the system refuses to read on, throws CkptError
 * `unreadable`. What fails elsewhere, as writing does, is thrown as it is.
 */
export async function readingNamed<T>(named: string | readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const isRefused = error instanceof StorageError && error.code === 'system' && isUnreadable(error.errno)
    const isOfThem = isRefused && [named].flat().some((path) => isPartOf(error.path, path))
    throw isOfThem ? unreadable(error) : error
  }
}

/** Also true of what lies in a named folder, and of the shards beside a named index; drafts of an output are hidden. */
function isPartOf(path: string, named: string): boolean {
  if (path === named || path.startsWith(named + sep)) return true
  const isShard = isIndexName(named) && dirname(path) === dirname(named)
  return isShard && !basename(path).startsWith('.')
}

/** It may be whole: nothing is known of its bytes. */
function unreadable(error: StorageError): CkptError {
  return new CkptError('unreadable', `${error.path}: cannot be read: ${reasonOf(error)}`, {
    hint: 'the file itself may be whole: try again as a user who may read it, or when its disk or server answers',
    cause: error,
  })
}

/** All of them, or none stays open. */
export async function openAll(storage: ReadStorage, paths: readonly string[]): Promise<TensorFile[]> {
  const open: TensorFile[] = []
  try {
    for (const path of paths) open.push(await openSafely(storage, path))
    return open
  } catch (error) {
    for (const file of open) await file.close()
    throw error
  }
}
