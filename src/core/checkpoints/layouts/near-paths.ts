/** Paths that may have been meant by one at which nothing is. */
import { dirname, join, sep } from 'node:path'
import { StorageError } from '../../errors.js'
import { nearestNames, orList } from '../../nearest.js'
import type { ReadStorage } from '../../storage/storage.js'

export interface NearestThere {
  readonly path: string
  readonly kind: 'folder' | 'file' | 'dangling'
}

/**
 * Upwards from a path to the first thing that is there. A link that dangles counts: a disk that is not mounted must
 * not pass for a folder that was not made yet.
 */
export async function nearestThere(storage: ReadStorage, path: string): Promise<NearestThere> {
  const [itself] = await storage.lstat([path])
  const [target] = await storage.stat([path])
  if (target?.ok === true) return { path, kind: target.value.kind === 'directory' ? 'folder' : 'file' }
  if (itself?.ok === true && target?.error.code === 'not-found') return { path, kind: 'dangling' }
  return dirname(path) === path ? { path, kind: 'folder' } : nearestThere(storage, dirname(path))
}

/**
 * The path (absolute) with the name that is mistyped in it set right; none where nothing has a name like it.
 * `isFolder`: only folders are meant.
 */
export async function pathsNear(storage: ReadStorage, path: string, { isFolder }: { isFolder: boolean }) {
  const there = await nearestThere(storage, path)
  if (there.kind !== 'folder') return []
  const [name = '', ...rest] = path.slice(there.path.length).split(sep).filter(Boolean)
  const [listing] = await storage.list([there.path])
  if (listing?.ok !== true) return []
  const meant = listing.value.filter(({ kind }) => kind === 'directory' || (!isFolder && rest.length === 0))
  const near = nearestNames(
    name,
    meant.map((entry) => entry.name),
  )
  return near.map((one) => join(there.path, one, ...rest))
}

/** The same error; with a hint where it says no more than that nothing is at a path, and something has a name like it. */
export async function withPathsNear(storage: ReadStorage, error: unknown): Promise<unknown> {
  if (!(error instanceof StorageError) || error.code !== 'not-found' || error.hint !== undefined) return error
  const near = await pathsNear(storage, error.path, { isFolder: false })
  if (near.length === 0) return error
  const { path, errno, message, cause } = error
  return new StorageError(path, errno, message, { hint: `did you mean ${orList(near)}?`, cause })
}
