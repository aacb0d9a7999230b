/**
 * Where ckpt keeps what it must remember of a run: `<parent of the run>/.ckpt/<run's name>/`, on the same file
 * system and outside of what any framework scans (docs/design.md §6).
 */
import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'

export interface StateFolder {
  /** Absolute. It need not be there. */
  readonly path: string
  /** The folders that ckpt makes when needed, and removes when empty, outermost first; `path` is the last. */
  readonly own: readonly string[]
}

/**
 * The run's links are resolved first: the folder lies beside where the bytes are, and is the same by whatever path
 * the run was named. `moved` is a folder that the user names instead (`--state DIR`, CKPT_STATE): it may serve many
 * runs, of which several are called `save`, so each has a folder in it that is named after its whole path.
 */
export async function stateFolderOf(storage: ReadStorage, run: string, moved?: string): Promise<StateFolder> {
  const [resolved] = await storage.resolve([run])
  const real = resolved?.ok === true ? resolved.value : run
  if (moved !== undefined) {
    const inner = join(moved, `${basename(real)}-${createHash('sha256').update(real).digest('hex').slice(0, 12)}`)
    return { path: inner, own: [moved, inner] }
  }
  const outer = join(dirname(real), '.ckpt')
  const inner = join(outer, basename(real))
  return { path: inner, own: [outer, inner] }
}

/** Makes the state folder. Throws StorageError where that cannot be. */
export async function makeState(storage: Storage, state: StateFolder): Promise<void> {
  for (const path of state.own) await makeUnlessThere(storage, path)
}

/** Makes the state folder and one folder in it; gives the latter's path. Throws StorageError where that cannot be. */
export async function makeInside(storage: Storage, state: StateFolder, name: string): Promise<string> {
  const inside = join(state.path, name)
  for (const path of [...state.own, inside]) await makeUnlessThere(storage, path)
  return inside
}

/** What `makeInside` and its like throw, as the refusal of something that cannot be done without a state folder. */
export function refuseWithout(state: StateFolder, what: string, error: CkptError): CkptError {
  return new CkptError('refused', `${what} must be remembered, and ${state.path} cannot be written: ${error.message}`, {
    hint: 'name a folder that can be written: --state DIR, or CKPT_STATE in the environment',
    cause: error,
  })
}

/** Removes what is empty of the folders `names` in the state folder and of the state folder itself. Never fails. */
export async function removeEmpty(storage: Storage, state: StateFolder, ...names: readonly string[]): Promise<void> {
  for (const path of [...names.map((name) => join(state.path, name)), ...state.own.toReversed()]) {
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
