/** How many bytes removing these files frees on the disk. */
import { PackedLooks } from '../../storage/packed-looks.js'
import type { EntryKind, ReadStorage, Stat } from '../../storage/storage.js'
import { lookInto, visitTrees } from '../../storage/entries-below.js'

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

/** What is to go; its kind where that is known. */
interface Thing {
  readonly path: string
  readonly kind?: EntryKind | 'group'
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
export async function bytesFreedBy(storage: ReadStorage, things: readonly Thing[]): Promise<number> {
  return (await freedBy(storage, things)).bytes
}

/** The same with what it leaves for others to free. */
export async function freedBy(storage: ReadStorage, things: readonly Thing[]): Promise<Freed> {
  const files = new Map<string, SharedFile>()
  let bytes = 0
  const once = [...new Map(things.map((thing) => [thing.path, thing])).values()]
  const plain = await plainFolders(storage, once)
  for (const one of plain.values()) bytes += one
  const others = plain.size === 0 ? once : once.filter(({ path }) => !plain.has(path))
  await visitTrees(storage, others, (tree) => {
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

/** Folders looked at together. */
const atOnce = 256

/** By path, what the folders free that hold nothing but files with one name each: most do, and they need no other look. */
async function plainFolders(storage: ReadStorage, things: readonly Thing[]): Promise<ReadonlyMap<string, number>> {
  const freed = new Map<string, number>()
  const folders = storage.lookInto === undefined ? [] : things.filter(({ kind }) => kind === 'directory')
  for (let start = 0; start < folders.length; start += atOnce) {
    const paths = folders.slice(start, start + atOnce).map(({ path }) => path)
    for (const [index, look] of (await lookInto(storage, paths)).entries()) {
      const bytes = look.ok && look.value.looks instanceof PackedLooks ? bytesOfPlain(look.value.looks) : null
      if (bytes !== null) freed.set(paths[index] ?? '', bytes)
    }
  }
  return freed
}

/** Null where something in the folder must be looked at by itself. */
function bytesOfPlain(looks: PackedLooks): number | null {
  if (!looks.areFiles) return null
  let bytes = 0
  for (let index = 0; index < looks.length; index += 1) {
    if (looks.linksAt(index) > 1) return null
    bytes += Math.min(looks.sizeAt(index), looks.allocatedAt(index))
  }
  return bytes
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
