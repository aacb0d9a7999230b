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
  const devices = new Map<bigint, Map<bigint, Inode>>()
  for (const { path } of things) {
    for (const { stat } of await treeOrNothing(storage, path)) {
      const inodes = getOrMake(devices, stat.device, () => new Map<bigint, Inode>())
      getOrMake(inodes, stat.inode, () => ({ bytes: dataBytes(stat), linksLeft: stat.links })).linksLeft -= 1
    }
  }
  let sum = 0
  for (const inodes of devices.values()) {
    for (const { bytes, linksLeft } of inodes.values()) sum += linksLeft <= 0 ? bytes : 0
  }
  return sum
}

interface Inode {
  readonly bytes: number
  linksLeft: number
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
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
