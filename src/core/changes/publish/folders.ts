/** Making a folder with those above it, and taking back what was made. */
import { dirname } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import { guardRun } from '../disposal/guard-run.js'
import type { Storage } from '../../storage/storage.js'

/**
 * The folders that were made, durably, outermost first; none when it was there. Throws StorageError, and then none
 * is left.
 */
export async function makeFolders(storage: Storage, folder: string): Promise<string[]> {
  const missing: string[] = []
  for (let path = folder; !(await isFolder(storage, path)); path = dirname(path)) missing.unshift(path)
  const made: string[] = []
  for (const path of missing) {
    try {
      guardRun(storage, path)
      await storage.makeDirectory(path)
      made.push(path)
      await storage.syncDirectory(dirname(path))
    } catch (error) {
      if (error instanceof StorageError && error.errno === 'EEXIST' && (await isFolder(storage, path))) continue
      for (const one of made.toReversed()) await removeIfEmpty(storage, one)
      throw error
    }
  }
  return made
}

/** Never fails: what is not empty stays. */
export async function removeIfEmpty(storage: Storage, folder: string): Promise<void> {
  try {
    await storage.removeDirectory(folder)
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
  }
}

/** A link to a folder is one. The root always is, so that looking upwards ends. */
async function isFolder(storage: Storage, path: string): Promise<boolean> {
  if (dirname(path) === path) return true
  const [stat] = await storage.stat([path])
  if (stat?.ok === false && stat.error.code !== 'not-found') throw stat.error
  return stat?.ok === true && stat.value.kind === 'directory'
}
