/** The folders of a state folder, made and removed. */
import { CkptError, StorageError, UntrustedError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import type { StateFolder } from './state-folder.js'

/** Makes the state folder, and `inside` in it. Throws StorageError where that cannot be. */
export async function makeDirectories(
  storage: Storage,
  { above = [], own }: StateFolder,
  ...inside: readonly string[]
): Promise<void> {
  for (const path of above) await makeUnlessThere(storage, path, 0o700)
  for (const path of [...own, ...inside]) await makeUnlessThere(storage, path)
}

/** Removes those that are empty, in this order. Never fails. */
export async function removeEmptyDirectories(storage: Storage, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await storage.removeDirectory(path)
    } catch (error) {
      // Not empty, or not there, or not ours to remove: it stays. Another ckpt may be using it.
      if (!(error instanceof CkptError)) throw error
    }
  }
}

async function makeUnlessThere(storage: Storage, path: string, mode?: number): Promise<void> {
  try {
    await storage.makeDirectory(path, mode)
  } catch (error) {
    if (!(error instanceof StorageError) || error.errno !== 'EEXIST') throw error
    const [there] = await storage.lstat([path])
    // A link would lead what we remove, or build, to a place that nobody named.
    if (there?.ok === true && there.value.kind !== 'directory') {
      const kind = there.value.kind === 'other' ? 'neither folder nor file' : `a ${there.value.kind}`
      throw new UntrustedError(path, `is ${kind}, and ckpt keeps its state in a folder here`, 'move it away')
    }
  }
}
