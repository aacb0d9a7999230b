/**
 * Where ckpt keeps what it must remember of a run: `<parent of the run>/.ckpt/<run's name>/`, on the same file
 * system and outside of what any framework scans (docs/design.md §6).
 *
 * Whoever can write beside a run can put anything there. So no link is followed below the run's parent, and what is
 * neither the user's nor the owner's of the run nor the superuser's, or may be changed by everyone, is not believed
 * (storage/guarded-folders.ts): then a folder of the user's own takes its place.
 */
import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { CkptError, StorageError, UntrustedError } from '../../errors.js'
import type { ReadStorage, Stat, Storage } from '../../storage/storage.js'

export interface StateFolder {
  /** Absolute. It need not be there. */
  readonly path: string
  /** The folders that ckpt makes when needed, and removes when empty, outermost first; `path` is the last. */
  readonly own: readonly string[]
  /** Folders above these that ckpt makes when needed and never removes, outermost first. */
  readonly above?: readonly string[]
  /** The one beside the run, where this takes its place because that cannot be trusted. */
  readonly distrusted?: StateFolder
}

/**
 * The run's links are resolved first: the folder lies beside where the bytes are, and is the same by whatever path
 * the run was named. `moved` is a folder that the user names instead (`--state DIR`, CKPT_STATE): it may serve many
 * runs, of which several are called `save`, so each has a folder in it that is named after its whole path.
 */
export async function stateFolderOf(storage: ReadStorage, run: string, moved?: string): Promise<StateFolder> {
  const [resolved] = await storage.resolve([run])
  const real = resolved?.ok === true ? resolved.value : run
  const owner = await ownerOf(storage, real)
  if (moved !== undefined) return guarded(storage, withinFolder(moved, real), owner)
  const outer = join(dirname(real), '.ckpt')
  const shared = { path: join(outer, basename(real)), own: [outer, join(outer, basename(real))] }
  const distrust = await whyUntrusted(storage, await guarded(storage, shared, owner))
  if (distrust === null) return shared
  const own = await ownFolder(storage, real)
  if (own === null) return shared
  storage.custody.warn(`${distrust.message}; what ckpt remembers of this run lies in ${own.path} instead`)
  return { ...own, distrusted: shared }
}

/**
 * The other folder in which the user may have pinned checkpoints of the run: the one beside it, which is not trusted
 * (any more), or the user's own, from a time when that was so. Whatever lies in the first is only ever looked at.
 */
export async function otherStateFolderOf(
  storage: ReadStorage,
  run: string,
  { distrusted }: StateFolder,
): Promise<StateFolder | null> {
  if (distrusted !== undefined) return guarded(storage, distrusted, null, null)
  const { stateHome } = storage.custody
  if (stateHome === null) return null
  const [resolved] = await storage.resolve([run])
  const real = resolved?.ok === true ? resolved.value : run
  const [there] = await storage.lstat([withinFolder(join(stateHome, 'ckpt'), real).path])
  return there?.ok === true ? ownFolder(storage, real) : null
}

/** In a folder that serves many runs. */
function withinFolder(folder: string, real: string): StateFolder {
  const inner = join(folder, `${basename(real)}-${createHash('sha256').update(real).digest('hex').slice(0, 12)}`)
  return { path: inner, own: [folder, inner] }
}

/** Of the run, or of the nearest folder above where it is yet to be made. */
async function ownerOf(storage: ReadStorage, path: string): Promise<Stat | null> {
  const [stat] = await storage.stat([path])
  if (stat?.ok === true) return stat.value
  return dirname(path) === path ? null : ownerOf(storage, dirname(path))
}

/** From now on nothing in it is reached through a link. `user` null: whoever it belongs to. */
async function guarded(
  storage: ReadStorage,
  state: StateFolder,
  heir: Stat | null,
  user = storage.custody.user,
): Promise<StateFolder> {
  const [outer = state.path] = state.own
  const [there, above] = await storage.resolve([outer, dirname(outer)])
  const plain = above?.ok === true ? join(above.value, basename(outer)) : outer
  // `.ckpt` may be no link; a folder that the user has named may be one.
  const real = basename(outer) !== '.ckpt' && there?.ok === true ? there.value : plain
  storage.guard({
    kind: 'state',
    outer,
    real,
    path: state.path,
    levels: state.own.length + 1,
    owners: user === null ? null : [user, 0, ...(heir === null ? [] : [heir.owner])],
    heir: heir === null || heir.owner === 0 ? null : heir,
  })
  return state
}

/** Null also where nothing is there yet, it cannot be looked at, or a plain file is in the way. */
async function whyUntrusted(storage: ReadStorage, state: StateFolder): Promise<UntrustedError | null> {
  const [listing] = await storage.list([state.path])
  if (listing?.ok !== false) return null
  const { error } = listing
  if (error instanceof UntrustedError) return error
  const stats = error.errno === 'ENOTDIR' ? await storage.lstat(state.own) : []
  const strange = state.own[stats.findIndex((stat) => stat.ok && stat.value.kind === 'other')]
  return strange === undefined ? null : new UntrustedError(strange, 'is neither folder nor file', 'move it away')
}

/** Null where this user has no place for state. */
async function ownFolder(storage: ReadStorage, real: string): Promise<StateFolder | null> {
  const { user, stateHome } = storage.custody
  if (user === null || stateHome === null) return null
  const missing: string[] = []
  for (let base = stateHome; ; base = dirname(base)) {
    const [stat] = await storage.stat([base])
    if (stat?.ok === true) {
      if (stat.value.owner !== user || stat.value.kind !== 'directory') return null
      return { ...(await guarded(storage, withinFolder(join(stateHome, 'ckpt'), real), null)), above: missing }
    }
    if (stat?.error.code !== 'not-found' || dirname(base) === base) return null
    missing.unshift(base)
  }
}

/** Makes the state folder. Throws StorageError where that cannot be. */
export async function makeState(storage: Storage, state: StateFolder): Promise<void> {
  await makeAbove(storage, state)
  for (const path of state.own) await makeUnlessThere(storage, path)
}

/** Makes the state folder and one folder in it; gives the latter's path. Throws StorageError where that cannot be. */
export async function makeInside(storage: Storage, state: StateFolder, name: string): Promise<string> {
  const inside = join(state.path, name)
  await makeAbove(storage, state)
  for (const path of [...state.own, inside]) await makeUnlessThere(storage, path)
  return inside
}

/** What `makeInside` and its like throw, as the refusal of something that cannot be done without a state folder. */
export function refuseWithout(state: StateFolder, what: string, error: CkptError): CkptError {
  return new CkptError('refused', `${what} cannot be recorded in ${state.path}: ${error.message}`, {
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

async function makeAbove(storage: Storage, { above = [] }: StateFolder): Promise<void> {
  for (const path of above) await makeUnlessThere(storage, path, 0o700)
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
