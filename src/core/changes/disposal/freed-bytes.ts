/** How many bytes the medium would get back. */
import { StorageError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { readTree, type TreeEntry } from '../../storage/entries-below.js'

/**
 * Bytes on the medium (not the apparent size: holes of a sparse file give nothing back) that removing all of these
 * would free, folders included. A file with several names counts when all of them are among what is removed, once.
 * What cannot be looked at counts 0.
 */
export async function bytesFreedBy(
  storage: ReadStorage,
  things: readonly { readonly path: string }[],
): Promise<number> {
  const inodes = new Map<string, { allocated: number; linksLeft: number }>()
  for (const { path } of things) {
    for (const { stat } of await treeOrNothing(storage, path)) {
      const id = `${stat.device}:${stat.inode}`
      const links = stat.kind === 'directory' ? 1 : stat.links
      const known = inodes.get(id) ?? { allocated: stat.allocated, linksLeft: links }
      inodes.set(id, { allocated: known.allocated, linksLeft: known.linksLeft - 1 })
    }
  }
  return [...inodes.values()].reduce((sum, inode) => sum + (inode.linksLeft <= 0 ? inode.allocated : 0), 0)
}

async function treeOrNothing(storage: ReadStorage, path: string): Promise<TreeEntry[]> {
  try {
    return await readTree(storage, path)
  } catch (error) {
    if (error instanceof StorageError) return []
    throw error
  }
}
