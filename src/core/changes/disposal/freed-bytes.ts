/** How many bytes the medium would get back. */
import { StorageError } from '../../errors.js'
import type { ReadStorage, Stat } from '../../storage/storage.js'
import { readTree, type TreeEntry } from '../../storage/entries-below.js'

/**
 * Bytes of files that removing all of these would free: what `list` and `du` show as their size, but for the holes of
 * sparse files, and for files that keep another name. A file with several names counts once, when all of them are among
 * what is removed. What cannot be looked at counts 0.
 */
export async function bytesFreedBy(
  storage: ReadStorage,
  things: readonly { readonly path: string }[],
): Promise<number> {
  const inodes = new Map<string, { bytes: number; linksLeft: number }>()
  for (const { path } of things) {
    for (const { stat } of await treeOrNothing(storage, path)) {
      const id = `${stat.device}:${stat.inode}`
      const known = inodes.get(id) ?? { bytes: dataBytes(stat), linksLeft: stat.links }
      inodes.set(id, { ...known, linksLeft: known.linksLeft - 1 })
    }
  }
  return [...inodes.values()].reduce((sum, inode) => sum + (inode.linksLeft <= 0 ? inode.bytes : 0), 0)
}

/** Without holes, and without what the medium adds to fill its blocks; folders count nothing. */
export function dataBytes({ kind, size, allocated }: Stat): number {
  return kind === 'directory' ? 0 : Math.min(size, allocated)
}

async function treeOrNothing(storage: ReadStorage, path: string): Promise<TreeEntry[]> {
  try {
    return await readTree(storage, path)
  } catch (error) {
    if (error instanceof StorageError) return []
    throw error
  }
}
