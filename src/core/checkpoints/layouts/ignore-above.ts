/** `.ckptignore` files above the folder that a walk begins at: what one protects, it protects from a walk that begins below it. */
import { dirname } from 'node:path'
import type { EntryKind, ReadStorage, Stat } from '../../storage/storage.js'
import { prefixOf } from './folders.js'
import { ignoreFile } from './ignore-rules.js'

export interface IgnoreFileAbove {
  /** That it lies in. */
  readonly folder: string
  readonly path: string
  readonly kind: EntryKind
}

/**
 * The farthest first. One counts that is the user's, the superuser's, or of whoever has its folder or `root`: in a folder
 * where anybody may write, a stranger's would hide everybody's runs.
 */
export async function ignoreFilesAbove(storage: ReadStorage, root: string): Promise<IgnoreFileAbove[]> {
  const folders = foldersAbove(root)
  const files = folders.map((folder) => prefixOf(folder) + ignoreFile)
  const stats = await storage.lstat(files)
  const found = folders.flatMap((folder, index) => {
    const stat = stats[index]
    return stat?.ok === true ? [{ folder, path: files[index] ?? '', stat: stat.value }] : []
  })
  if (found.length === 0) return []
  const [top, ...around] = await storage.stat([root, ...found.map(({ folder }) => folder)])
  return found.flatMap(({ folder, path, stat }, index) => {
    const owners = [top, around[index]].flatMap((one) => (one?.ok === true ? [one.value.owner] : []))
    return isBelieved(stat, [0, ...owners], storage.custody.user) ? [{ folder, path, kind: stat.kind }] : []
  })
}

function isBelieved({ owner }: Stat, owners: readonly number[], user: number | null): boolean {
  return user === null || owner === user || owners.includes(owner)
}

function foldersAbove(path: string): string[] {
  const folders: string[] = []
  for (let folder = path; dirname(folder) !== folder;) {
    folder = dirname(folder)
    folders.unshift(folder)
  }
  return folders
}
