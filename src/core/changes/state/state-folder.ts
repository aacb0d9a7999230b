/**
 * Where ckpt keeps what it must remember of a run: `<parent of the run>/.ckpt/<run's name>/`, on the same file
 * system and outside of what any framework scans (docs/design.md §6).
 *
 * Anybody who can write beside a run can put anything there. So no link is followed below the run's parent, and what is
 * neither the user's nor the owner's of the run nor the superuser's, or may be changed by everyone, is not believed
 * (storage/guarded-folders.ts): then a folder of the user's own takes its place.
 */
import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { isAbsence, UntrustedError } from '../../errors.js'
import type { ReadStorage, Stat } from '../../storage/storage.js'

export interface StateFolder {
  /** Absolute. It need not be there. */
  readonly path: string
  /** The folders that ckpt makes when needed, and removes when empty, outermost first; `path` is the last. */
  readonly own: readonly string[]
  /** Folders above these that ckpt makes when needed and never removes, outermost first. */
  readonly above?: readonly string[]
  /** The one beside the run, where this takes its place because that cannot be trusted. */
  readonly distrusted?: StateFolder
  /** The folder that the user has named (`--state DIR`), where this lies in it; absolute once it is there. */
  readonly moved?: string
  /** The run's real path. Without it nothing is known of its other state folders (elsewhere.ts). */
  readonly run?: string
}

/** What else may hold pins of a run. */
export interface OtherStates {
  /** Beside the run, or the user's own; they may be read and written. */
  readonly trusted: readonly StateFolder[]
  /** Beside the run; only ever looked at. */
  readonly distrusted: StateFolder | null
}

/**
 * The run's links are resolved first: the folder lies beside where the bytes are, and is the same by whatever path
 * the run was named. `moved` is a folder that the user names instead (`--state DIR`, CKPT_STATE): it may serve many
 * runs, of which several are called `save`, so each has a folder in it that is named after its whole path.
 */
export async function stateFolderOf(storage: ReadStorage, run: string, moved?: string): Promise<StateFolder> {
  const [real = run, named] = await realPaths(storage, moved === undefined ? [run] : [run, moved])
  const owner = await ownerOf(storage, real)
  if (moved !== undefined)
    return { ...(await guarded(storage, withinFolder(moved, real), owner)), moved: named ?? moved, run: real }
  const { shared, distrust } = await besideRun(storage, run, real, owner)
  if (distrust === null) return { ...shared, run: real }
  const own = await ownFolder(storage, real)
  if (own === null) return { ...shared, run: real }
  storage.custody.warn(`${distrust.message}; what ckpt remembers of this run lies in ${own.path} instead`)
  return { ...own, distrusted: shared, run: real }
}

/** Where it is named that `--state` led elsewhere, the best first: beside the run where that is trusted, the user's own. */
export async function foldersForNames(storage: ReadStorage, run: string): Promise<StateFolder[]> {
  const { shared, distrust } = await besideRun(storage, run, run, await ownerOf(storage, run))
  const own = await ownFolder(storage, run)
  return [...(distrust === null ? [shared] : []), ...(own === null ? [] : [own])]
}

async function realPaths(storage: ReadStorage, paths: readonly string[]): Promise<string[]> {
  const resolved = await storage.resolve(paths)
  return paths.map((path, index) => {
    const real = resolved[index]
    return real?.ok === true ? real.value : path
  })
}

async function besideRun(storage: ReadStorage, run: string, real: string, owner: Stat | null) {
  const outer = join(dirname(real), '.ckpt')
  const shared: StateFolder = { path: join(outer, basename(real)), own: [outer, join(outer, basename(real))] }
  return { shared, distrust: await whyUntrusted(storage, await guarded(storage, shared, owner, { run })) }
}

/**
 * The other folders in which the user may have pinned checkpoints of the run: the one beside it (which may be trusted
 * no more), and the user's own, from a time when that was so. Those that `--state` named are known from their records.
 */
export async function otherStatesOf(storage: ReadStorage, run: string, state: StateFolder): Promise<OtherStates> {
  if (state.distrusted !== undefined) return { trusted: [], distrusted: await onlyLookedAt(storage, state.distrusted) }
  const [real = run] = await realPaths(storage, [run])
  const own = await ownFolderIfThere(storage, real)
  if (state.moved === undefined) return { trusted: own, distrusted: null }
  const { shared, distrust } = await besideRun(storage, run, real, await ownerOf(storage, real))
  if (distrust === null) return { trusted: [shared, ...own], distrusted: null }
  return { trusted: own, distrusted: await onlyLookedAt(storage, shared) }
}

/** Whichever user owns it. */
async function onlyLookedAt(storage: ReadStorage, state: StateFolder): Promise<StateFolder> {
  return guarded(storage, state, null, { user: null })
}

async function ownFolderIfThere(storage: ReadStorage, real: string): Promise<StateFolder[]> {
  const { stateHome } = storage.custody
  if (stateHome === null) return []
  const home = join(stateHome, 'ckpt')
  // A look at the names first: node:crypto, which makes the rest of one, takes a tenth of a short command's time.
  const [listed] = await storage.list([home])
  const isListed = listed?.ok === true
  if (isListed && !listed.value.some(({ name }) => name.startsWith(`${basename(real)}-`))) return []
  if (!isListed && isAbsence(listed?.error.errno ?? '')) return []
  const [there] = await storage.lstat([withinFolder(home, real).path])
  const own = there?.ok === true ? await ownFolder(storage, real) : null
  return own === null ? [] : [own]
}

/**
 * The run's state in a folder that a record names: only to be read. Anybody who can write beside the run can have named
 * any folder, so nothing of it is guarded but the run's own in it, which may be no link.
 */
export async function pointedStateFolderOf(storage: ReadStorage, run: string, folder: string): Promise<StateFolder> {
  const [real = run] = await realPaths(storage, [run])
  const { path } = withinFolder(folder, real)
  const { user } = storage.custody
  const state = await guarded(storage, { path, own: [path] }, await ownerOf(storage, real), {
    user,
    mayBeLink: false,
  })
  return { ...state, moved: folder }
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

/**
 * From now on nothing in it is reached through a link. `user` null: no matter whose it is. A folder that the user has
 * named may be a link itself; `.ckpt`, or one that a record names (`mayBeLink` false), may not. `run`: as it was named,
 * where that led here.
 */
async function guarded(
  storage: ReadStorage,
  state: StateFolder,
  heir: Stat | null,
  {
    user = storage.custody.user,
    mayBeLink = basename(state.own[0] ?? state.path) !== '.ckpt',
    run = null,
  }: { readonly user?: number | null; readonly mayBeLink?: boolean; readonly run?: string | null } = {},
): Promise<StateFolder> {
  const [outer = state.path] = state.own
  storage.guard({
    kind: 'state',
    outer,
    mayBeLink,
    path: state.path,
    run,
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
