/** How many bytes removing these files frees on the disk. */
import type { ReadStorage, Stat } from '../../storage/storage.js'
import { visitTrees } from '../../storage/entries-below.js'

/** A file of which some names go and others stay. */
export interface SharedFile {
  /** The same for all names of one file. */
  readonly id: string
  /** What the medium gets back when its last name goes. */
  readonly bytes: number
  /** Names that stay. */
  readonly left: number
  /** Names that go. */
  readonly going: number
}

export interface Freed {
  readonly bytes: number
  readonly shared: readonly SharedFile[]
}

/**
 * Bytes of files that removing all of these would free: what `list` and `du` show as their size, but for the holes of
 * sparse files, and for files that keep another name. A file with several names counts once, when all of them are among
 * what is removed. What cannot be looked at counts 0.
 */
export async function bytesFreedBy(
  storage: ReadStorage,
  things: readonly { readonly path: string }[],
): Promise<number> {
  return (await freedBy(storage, things)).bytes
}

/** The same with what it leaves for others to free. */
export async function freedBy(storage: ReadStorage, things: readonly { readonly path: string }[]): Promise<Freed> {
  const files = new Map<string, SharedFile>()
  let bytes = 0
  const once = new Map(things.map((thing) => [thing.path, thing]))
  await visitTrees(storage, [...once.values()], (tree) => {
    if (!tree.ok) return
    for (const stat of tree.value.stats) {
      if (stat.links <= 1 || stat.kind === 'directory') bytes += dataBytes(stat)
      else addName(files, stat)
    }
  })
  const shared = [...files.values()]
  bytes += shared.reduce((sum, file) => sum + (file.left <= 0 ? file.bytes : 0), 0)
  return { bytes, shared: shared.filter(({ left }) => left > 0) }
}

function addName(files: Map<string, SharedFile>, stat: Stat): void {
  const id = `${stat.device}:${stat.inode}`
  const { left, going } = files.get(id) ?? { left: stat.links, going: 0 }
  files.set(id, { id, bytes: dataBytes(stat), left: left - 1, going: going + 1 })
}

/** What several removals free beside what each frees by itself: files whose last names go with them together. */
export function freedTogether(removals: readonly (readonly SharedFile[])[]): number {
  const left = new Map<string, number>()
  let bytes = 0
  for (const file of removals.flat()) {
    const before = left.get(file.id) ?? file.left + file.going
    left.set(file.id, before - file.going)
    if (before > 0 && before - file.going <= 0) bytes += file.bytes
  }
  return bytes
}

/** Without holes, and without what the medium adds to fill its blocks; folders count nothing. */
export function dataBytes({ kind, size, allocated }: Stat): number {
  return kind === 'directory' ? 0 : Math.min(size, allocated)
}
