/** Looking at everything below a path, links not followed and other file systems not entered. */
import { sep } from 'node:path'
import { StorageError } from '../errors.js'
import { PackedLooks } from './packed-looks.js'
import type { DirectoryEntry, FolderLook, Looks, ReadStorage, Result, Stat } from './storage.js'

export interface TreeEntry {
  /** Absolute. */
  readonly path: string
  /** Relative to the root, with `/`; empty for the root itself. */
  readonly name: string
  readonly stat: Stat
}

/** The root and everything below it, a folder before what it holds. */
export interface Tree {
  /** Relative to the root, with `/`; empty for the root itself. Trees of the same names share the list. */
  readonly names: readonly string[]
  /** Of each name. */
  readonly stats: Stats
}

/** Stats in the order of the names. */
export interface Stats extends Iterable<Stat> {
  readonly length: number
  at(index: number): Stat | undefined
}

/**
 * The root and everything below it, a folder before what it holds. Throws StorageError at the first path that cannot
 * be looked at, and (`EXDEV`) at a folder of another file system: nothing below it belongs to the tree.
 */
export async function readTree(storage: ReadStorage, root: string): Promise<TreeEntry[]> {
  const trees: Result<Tree>[] = []
  await visitTrees(storage, [{ path: root }], (tree) => trees.push(tree))
  return trees.flatMap((tree) => {
    if (!tree.ok) throw tree.error
    const { names, stats } = tree.value
    return Array.from(stats, (stat, index) => {
      const name = names[index] ?? ''
      return { path: pathBelow(root, name), name, stat }
    })
  })
}

/** Of a name in the tree of that root. */
export function pathBelow(root: string, name: string): string {
  return name === '' ? root : prefixOf(root) + name
}

function prefixOf(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep
}

/** Roots looked at together: one call for all of their names costs far less than one for each. */
const batchSize = 256

/** The same of many roots; `visit` is called with each in order. */
export async function visitTrees<Root extends { readonly path: string }>(
  storage: ReadStorage,
  roots: readonly Root[],
  visit: (tree: Result<Tree>, root: Root) => void,
): Promise<void> {
  for (let start = 0; start < roots.length; start += batchSize) {
    const batch = roots.slice(start, start + batchSize)
    const trees = batch.map(() => new GrowingTree())
    let folders = await takeEach(
      storage,
      batch.flatMap(({ path }, index) => childOf(trees[index], path, '')),
    )
    while (folders.length > 0) folders = await takeFolders(storage, folders)
    for (const [index, root] of batch.entries()) {
      const tree = trees[index]
      if (tree !== undefined) visit(tree.result, root)
    }
  }
}

/** What lies right in each folder. */
export async function lookInto(storage: ReadStorage, folders: readonly string[]): Promise<Result<FolderLook>[]> {
  return (await storage.lookInto?.(folders)) ?? lookThere(storage, folders, await storage.list(folders))
}

/** The same by the storage's other calls, of folders that are listed. */
export async function lookThere(
  storage: Pick<ReadStorage, 'lstat'>,
  folders: readonly string[],
  listings: readonly Result<readonly DirectoryEntry[]>[],
): Promise<Result<FolderLook>[]> {
  const paths: string[] = []
  for (const [index, listing] of listings.entries()) {
    if (!listing.ok) continue
    const prefix = prefixOf(folders[index] ?? '')
    for (const { name, kind } of listing.value) if (kind !== 'directory') paths.push(prefix + name)
  }
  const stats = paths.length === 0 ? [] : await storage.lstat(paths)
  let next = 0
  return listings.map((listing) => {
    if (!listing.ok) return listing
    const looks = listing.value.map(({ kind }) => (kind === 'directory' ? null : (stats[next++] ?? null)))
    return { ok: true, value: { entries: listing.value, looks } }
  })
}

/** What is known of one root so far. */
class GrowingTree {
  private names: readonly string[] = []
  private own: string[] | null = null
  private readonly stats: Stat[] = []
  /** What lies in a folder without folders, behind its own stat. */
  private whole: Looks | null = null
  error: StorageError | null = null

  /**
   * True for a folder to go on into. Only a folder's device tells of a mount: overlay file systems give files of a lower
   * layer another device than the folder that they are in.
   */
  take(path: string, name: string, stat: Result<Stat>): boolean {
    if (this.error !== null) return false
    if (!stat.ok) this.error = stat.error
    else if (stat.value.kind === 'directory' && stat.value.device !== (this.stats[0] ?? stat.value).device) {
      this.error = otherFileSystem(path)
    } else this.add(name, stat.value)
    return this.error === null && stat.ok && stat.value.kind === 'directory'
  }

  private add(name: string, stat: Stat): void {
    if (this.own === null) this.names = this.own = [...this.names]
    this.own.push(name)
    this.stats.push(stat)
  }

  /** Takes a root's folder without folders as a whole; false where it must be taken name by name. */
  takeWhole({ entries, looks }: FolderLook): boolean {
    if (this.stats.length !== 1 || this.error !== null || !areNoFolders(looks)) return false
    this.whole = looks
    this.names = namesWithRoot(entries)
    this.own = null
    return true
  }

  get result(): Result<Tree> {
    if (this.error !== null) return { ok: false, error: this.error }
    const { names, whole } = this
    const [root] = this.stats
    const stats = whole === null || root === undefined ? this.stats : new StatsOfFolder(root, whole)
    return { ok: true, value: { names, stats } }
  }
}

function areNoFolders(looks: Looks): boolean {
  if (looks instanceof PackedLooks && looks.areFiles) return true
  for (let index = 0; index < looks.length; index += 1) {
    const look = looks.at(index)
    if (look?.ok !== true || look.value.kind === 'directory') return false
  }
  return true
}

/** Those of a folder and of what lies in it. */
class StatsOfFolder implements Stats {
  constructor(
    private readonly root: Stat,
    private readonly looks: Looks,
  ) {}

  get length(): number {
    return this.looks.length + 1
  }

  at(index: number): Stat | undefined {
    if (index === 0) return this.root
    const look = this.looks.at(index - 1)
    return look?.ok === true ? look.value : undefined
  }

  *[Symbol.iterator](): Iterator<Stat> {
    for (let index = 0; index < this.length; index += 1) {
      const stat = this.at(index)
      if (stat !== undefined) yield stat
    }
  }
}

/** Checkpoints of one run have the same names in them, and storages one list of those. */
let lastEntries: readonly DirectoryEntry[] = []
let lastNames: readonly string[] = ['']

function namesWithRoot(entries: readonly DirectoryEntry[]): readonly string[] {
  if (entries === lastEntries) return lastNames
  lastEntries = entries
  return (lastNames = ['', ...entries.map(({ name }) => name)])
}

/** A name of one of the trees. */
interface Child {
  readonly tree: GrowingTree
  readonly path: string
  readonly name: string
}

function childOf(tree: GrowingTree | undefined, path: string, name: string): Child[] {
  return tree === undefined ? [] : [{ tree, path, name }]
}

/** Takes up what each name is; gives the folders among them. */
async function takeEach(storage: ReadStorage, children: readonly Child[]): Promise<Child[]> {
  const stats = await storage.lstat(children.map(({ path }) => path))
  return children.filter(({ tree, path, name }, index) => {
    const stat = stats[index]
    return stat !== undefined && tree.take(path, name, stat)
  })
}

/** Takes up what lies in each folder; gives the folders there. */
async function takeFolders(storage: ReadStorage, folders: readonly Child[]): Promise<Child[]> {
  const open = folders.filter(({ tree }) => tree.error === null)
  const looks = await lookInto(
    storage,
    open.map(({ path }) => path),
  )
  const below: Child[] = []
  const unseen: Child[] = []
  for (const [index, { tree, path: above, name: nameAbove }] of open.entries()) {
    const look = looks[index]
    if (look?.ok === false) tree.error ??= look.error
    if (look?.ok !== true || tree.takeWhole(look.value)) continue
    for (const [at, { name: own }] of look.value.entries.entries()) {
      const child = { tree, path: pathBelow(above, own), name: nameAbove === '' ? own : `${nameAbove}/${own}` }
      const stat = look.value.looks.at(at) ?? null
      if (stat === null) unseen.push(child)
      else if (tree.take(child.path, child.name, stat)) below.push(child)
    }
  }
  return [...below, ...(unseen.length === 0 ? [] : await takeEach(storage, unseen))]
}

export function otherFileSystem(path: string): StorageError {
  return new StorageError(path, 'EXDEV', `${path}: another file system is mounted here`, {
    hint: 'unmount it, or remove what is in it by hand',
  })
}
