/**
 * Where ckpt keeps what it must remember of a run: `<parent of the run>/.ckpt/<run's name>/`, on the same file
 * system and outside of what any framework scans (docs/design.md §6).
 */
import { basename, dirname, join } from 'node:path'
import { CkptError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'

export interface StateFolder {
  /** Absolute. It need not be there. */
  readonly path: string
  /** The folders that ckpt makes when needed, and removes when empty, outermost first; `path` is the last. */
  readonly own: readonly string[]
}

/**
 * The run's links are resolved first: the folder lies beside where the bytes are, and is the same by whatever path
 * the run was named. `moved` is a folder that the user names instead (`--state DIR`).
 */
export async function stateFolderOf(storage: Storage, run: string, moved?: string): Promise<StateFolder> {
  if (moved !== undefined) return { path: moved, own: [moved] }
  const [resolved] = await storage.resolve([run])
  const real = resolved?.ok === true ? resolved.value : run
  const outer = join(dirname(real), '.ckpt')
  const inner = join(outer, basename(real))
  return { path: inner, own: [outer, inner] }
}

/** Makes the state folder and one folder in it; gives the latter's path. Throws StorageError where that cannot be. */
export async function makeInside(storage: Storage, state: StateFolder, name: string): Promise<string> {
  const inside = join(state.path, name)
  for (const path of [...state.own, inside]) await makeUnlessThere(storage, path)
  return inside
}

/** Removes what is empty of the folder `name` in the state folder and of the state folder itself. Never fails. */
export async function removeEmpty(storage: Storage, state: StateFolder, name: string): Promise<void> {
  for (const path of [join(state.path, name), ...state.own.toReversed()]) {
    try {
      await storage.removeDirectory(path)
    } catch (error) {
      // Not empty, or not there, or not ours to remove: it stays. Another ckpt may be using it.
      if (!(error instanceof CkptError)) throw error
    }
  }
}

async function makeUnlessThere(storage: Storage, path: string): Promise<void> {
  try {
    await storage.makeDirectory(path)
  } catch (error) {
    if (!(error instanceof StorageError) || error.errno !== 'EEXIST') throw error
    const [there] = await storage.lstat([path])
    // A link would lead what we remove, or build, to a place that nobody named.
    if (there?.ok === true && there.value.kind !== 'directory') {
      throw new StorageError(
        path,
        'ENOTDIR',
        `${path}: ckpt keeps its state in a folder here, but this is a ${there.value.kind}`,
      )
    }
  }
}
