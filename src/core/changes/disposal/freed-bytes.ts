/** How many bytes the medium would get back. */
import type { ReadStorage, Stat } from '../../storage/storage.js'
import { visitTrees } from '../../storage/entries-below.js'

/**
 * Bytes of files that removing all of these would free: what `list` and `du` show as their size, but for the holes of
 * sparse files, and for files that keep another name. A file with several names counts once, when all of them are among
 * what is removed. What cannot be looked at counts 0.
 */
export async function bytesFreedBy(
  storage: ReadStorage,
  things: readonly { readonly path: string }[],
): Promise<number> {
  const shared = new SharedFiles()
  let sum = 0
  await visitTrees(storage, [...new Set(things.map(({ path }) => path))], (tree) => {
    if (!tree.ok) return
    for (const { stat } of tree.value)
      sum += stat.links <= 1 || stat.kind === 'directory' ? dataBytes(stat) : shared.take(stat)
  })
  return sum
}

/** Files with several names. */
class SharedFiles {
  /** Names that are left, by device and number. */
  private readonly left = new Map<string, number>()

  /** One name of it goes: the bytes that the medium gets back. */
  take(stat: Stat): number {
    const file = `${stat.device}:${stat.inode}`
    const left = (this.left.get(file) ?? stat.links) - 1
    this.left.set(file, left)
    return left === 0 ? dataBytes(stat) : 0
  }
}

/** Without holes, and without what the medium adds to fill its blocks; folders count nothing. */
export function dataBytes({ kind, size, allocated }: Stat): number {
  return kind === 'directory' ? 0 : Math.min(size, allocated)
}
