/** Looking at everything below a path, links not followed and other file systems not entered. */
import { sep } from 'node:path'
import { StorageError } from '../errors.js'
import type { ReadStorage, Result, Stat } from './storage.js'

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
  const trees: Result<TreeEntry[]>[] = []
  await visitTrees(storage, [{ path: root }], (tree) => trees.push(tree))
  return trees.flatMap((tree) => {
    if (!tree.ok) throw tree.error
    return tree.value
  })
}

/** Roots looked at together: one call for all of their names costs far less than one for each. */
const batchSize = 256

/** The same of many roots; `visit` is called with each in order. */
export async function visitTrees<Root extends { readonly path: string }>(
  storage: ReadStorage,
  roots: readonly Root[],
  visit: (tree: Result<TreeEntry[]>, root: Root) => void,
): Promise<void> {
  for (let start = 0; start < roots.length; start += batchSize) {
    const batch = roots.slice(start, start + batchSize).map((root) => ({ root, tree: new Tree() }))
    let level = batch.map(({ root, tree }): Child => ({ tree, path: root.path, name: '' }))
    while (level.length > 0) level = await childrenOf(storage, await lookAt(storage, level))
    for (const { root, tree } of batch) visit(tree.result, root)
  }
}

/** What is known of one root so far. */
class Tree {
  readonly entries: TreeEntry[] = []
  error: StorageError | null = null

  /**
   * True for a folder to go on into. Only a folder's device tells of a mount: overlay file systems give files of a lower
   * layer another device than the folder that they are in.
   */
  take(path: string, name: string, stat: Result<Stat>): boolean {
    if (this.error !== null) return false
    if (!stat.ok) this.error = stat.error
    else if (stat.value.kind === 'directory' && stat.value.device !== (this.entries[0]?.stat ?? stat.value).device) {
      this.error = otherFileSystem(path)
    } else this.entries.push({ path, name, stat: stat.value })
    return this.error === null && stat.ok && stat.value.kind === 'directory'
  }

  get result(): Result<TreeEntry[]> {
    return this.error === null ? { ok: true, value: this.entries } : { ok: false, error: this.error }
  }
}

/** A name of one of the trees. */
interface Child {
  readonly tree: Tree
  readonly path: string
  readonly name: string
}

/** Takes up what each name is; gives the folders among them. */
async function lookAt(storage: ReadStorage, children: readonly Child[]): Promise<Child[]> {
  const stats = await storage.lstat(children.map(({ path }) => path))
  const folders: Child[] = []
  for (const [index, child] of children.entries()) {
    const stat = stats[index]
    if (stat !== undefined && child.tree.take(child.path, child.name, stat)) folders.push(child)
  }
  return folders
}

async function childrenOf(storage: ReadStorage, folders: readonly Child[]): Promise<Child[]> {
  const open = folders.filter(({ tree }) => tree.error === null)
  const listings = await storage.list(open.map(({ path }) => path))
  return open.flatMap(({ tree, path, name: above }, index) => {
    const listing = listings[index]
    if (listing?.ok === false) tree.error ??= listing.error
    if (listing?.ok !== true) return []
    return listing.value.map(({ name }) => ({
      tree,
      path: `${path}${path.endsWith(sep) ? '' : sep}${name}`,
      name: above === '' ? name : `${above}/${name}`,
    }))
  })
}

export function otherFileSystem(path: string): StorageError {
  return new StorageError(path, 'EXDEV', `${path}: another file system is mounted here`, {
    hint: 'unmount it, or remove what is in it by hand',
  })
}
