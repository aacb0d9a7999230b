/** Gives a finished file or folder its name in one durable step. */
import { dirname } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'

/** The name is in use already; nothing is overwritten. */
export class TakenError extends CkptError {
  constructor(
    readonly path: string,
    hint: string,
  ) {
    super('refused', `${path}: there already; nothing is overwritten`, { hint })
  }
}

/**
 * Renames what was built, and synced, to `target` (absolute, on the same file system), and makes the name durable.
 * Never over something: a folder is renamed where nothing is, a file gets the name only if it is free. Throws
 * TakenError with the hint, and StorageError; then it is still where it was built.
 */
export async function moveToTarget(storage: Storage, building: string, target: string, hint: string): Promise<void> {
  await refuseTaken(storage, target, hint)
  try {
    await takeName(storage, building, target)
  } catch (error) {
    if (error instanceof StorageError && takenCodes.has(error.errno)) throw new TakenError(target, hint)
    throw error
  }
  try {
    await storage.syncDirectory(dirname(target))
  } catch (error) {
    await storage.rename(target, building)
    throw error
  }
}

const takenCodes = new Set(['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EISDIR'])

async function takeName(storage: Storage, building: string, target: string): Promise<void> {
  const [stat] = await storage.lstat([building])
  if (stat?.ok !== true || stat.value.kind !== 'file') return storage.rename(building, target)
  // A rename would replace a file that has come meanwhile; a hard link does not.
  try {
    await storage.hardLink(building, target)
  } catch (error) {
    if (!(error instanceof StorageError) || error.errno === 'EEXIST') throw error
    return storage.rename(building, target)
  }
  await storage.unlink(building)
}

/** Throws TakenError with the hint when anything is at the path, be it a link that dangles. */
export async function refuseTaken(storage: Storage, target: string, hint: string): Promise<void> {
  const [there] = await storage.lstat([target])
  if (there?.ok === true) throw new TakenError(target, hint)
  if (there !== undefined && there.error.code !== 'not-found') throw there.error
}
