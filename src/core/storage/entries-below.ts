/** Looking at everything below a path, links not followed and other file systems not entered. */
import { join } from 'node:path'
import { StorageError } from '../errors.js'
import type { ReadStorage, Stat } from './storage.js'

export interface TreeEntry {
  /** Absolute. */
  readonly path: string
  /** Relative to the root, with `/`; empty for the root itself. */
  readonly name: string
  readonly stat: Stat
}

/**
 * The root and everything below it, a folder before what it holds. Throws StorageError at the first path that cannot
 * be looked at, and (`EXDEV`) at a folder of another file system: nothing below it belongs to the tree.
 */
export async function readTree(storage: ReadStorage, root: string): Promise<TreeEntry[]> {
  const first = await lookAt(storage, [{ path: root, name: '' }])
  const tree = [...first]
  for (let level = first.filter(isFolder); level.length > 0;) {
    const below = await lookAt(storage, await childrenOf(storage, level))
    for (const entry of below.filter(isFolder)) {
      if (entry.stat.device !== level[0]?.stat.device) throw otherFileSystem(entry.path)
    }
    for (const entry of below) tree.push(entry)
    level = below.filter(isFolder)
  }
  return tree
}

/**
 * Only a folder's device tells of a mount: overlay file systems give files of a lower layer another device than the
 * folder that they are in.
 */
function isFolder(entry: TreeEntry): boolean {
  return entry.stat.kind === 'directory'
}

export function otherFileSystem(path: string): StorageError {
  return new StorageError(path, 'EXDEV', `${path}: another file system is mounted here`, {
    hint: 'unmount it, or remove what is in it by hand',
  })
}

interface ChildName {
  readonly path: string
  readonly name: string
}

async function childrenOf(storage: ReadStorage, folders: readonly TreeEntry[]): Promise<ChildName[]> {
  const listings = await storage.list(folders.map((folder) => folder.path))
  return listings.flatMap((listing, index) => {
    if (!listing.ok) throw listing.error
    const folder = folders[index]
    if (folder === undefined) return []
    return listing.value.map(({ name }) => ({
      path: join(folder.path, name),
      name: folder.name === '' ? name : `${folder.name}/${name}`,
    }))
  })
}

async function lookAt(storage: ReadStorage, children: readonly ChildName[]): Promise<TreeEntry[]> {
  const stats = await storage.lstat(children.map((child) => child.path))
  return children.flatMap((child, index) => {
    const stat = stats[index]
    if (stat === undefined) return []
    if (!stat.ok) throw stat.error
    return [{ ...child, stat: stat.value }]
  })
}
