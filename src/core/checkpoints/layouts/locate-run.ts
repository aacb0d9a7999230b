/** Finds runs below a folder, and the one that a folder stands for, without reading their checkpoints. */
import { dirname } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'
import { yieldToEvents } from '../../storage/yield-to-events.js'
import { isDownloadCache } from './download-caches.js'
import { onFileSystemOf } from './folders.js'
import { foldersIn } from './walk.js'
import type { Folder } from './layout.js'
import { holdsCheckpoint, namesTellOfCheckpoint, scanFolder } from './scan.js'
import { ScanTree } from './scan-tree.js'

/** The most folders that are searched: a folder with more below it does not stand for a single run. */
const mostFolders = 1000
const deepest = 8

/**
 * The folder of the run at or below `path` (absolute): the first with a checkpoint in it, level by level. Where there
 * is none, or nothing can be listed, `path` itself. Never throws.
 */
export async function locateRun(storage: ReadStorage, path: string): Promise<string> {
  const tree = ScanTree.over(storage)
  const [listing] = await tree.list([path])
  // Without a folder in it there is no other, whatever lies in it.
  if (listing?.ok === true && foldersIn({ path, entries: listing.value }).length === 0) return path
  for await (const found of locateRuns(tree, path, { most: mostFolders, holds: holdsAny })) return found
  return path
}

export interface LocateBounds {
  /** Folders after which the search ends. */
  readonly most: number
  /** Whether a folder is one of them; told from a few of its entries where it is left out. */
  readonly holds?: (storage: ReadStorage, folder: Folder) => Promise<boolean>
}

/**
 * Folders of runs at and below `path` (absolute), on its file system, level by level. None below one of them is looked
 * for. What cannot be listed is passed over. Each folder is listed once. Never throws.
 */
export async function* locateRuns(
  storage: ReadStorage,
  path: string,
  { most, holds = isRun }: LocateBounds,
): AsyncGenerator<string> {
  const tree = ScanTree.over(storage)
  let looked = 0
  let level: readonly string[] = [path]
  for (let depth = 0; depth <= deepest && level.length > 0; depth += 1) {
    looked += level.length
    if (looked > most) return
    const listings = await tree.list(level)
    const below: string[] = []
    for (const [index, one] of level.entries()) {
      if (index % betweenYields === betweenYields - 1) await yieldToEvents()
      const listing = listings[index]
      if (listing?.ok !== true) continue
      const folder = { path: one, entries: listing.value }
      if (depth > 0 && isDownloadCache(folder)) continue
      if (await holds(tree, folder)) yield one
      else below.push(...foldersIn(folder))
    }
    level = await onFileSystemOf(tree, path, below.sort())
  }
}

/** Entries that are looked at together before more are. */
const few = 4
/** Folders after which signals are let through; with that Node compiles no more what soon has run (bin/run.js). */
const betweenYields = 32

/**
 * The first name alone, then a few entries, then more: of a run the first tell it already, and neither its metas are all
 * read nor its folders all listed. `most`: entries that are looked at, about.
 */
export async function isRun(storage: ReadStorage, { path, entries }: Folder, most = Infinity): Promise<boolean> {
  const first = { path, entries: entries.slice(0, 1) }
  if (entries.length > few && (await namesTellOfCheckpoint(storage, first)) === true) return true
  for (let start = 0, count = few; start < Math.min(entries.length, most); start += count, count *= 4) {
    if (await holdsCheckpoint(storage, { path, entries: entries.slice(start, start + count) })) return true
  }
  return false
}

/** Where the first names do not tell, all is looked into: what opens the run finds it known. */
async function holdsAny(storage: ReadStorage, folder: Folder): Promise<boolean> {
  const first = { path: folder.path, entries: folder.entries.slice(0, 16) }
  return (await namesTellOfCheckpoint(storage, first)) === true || holdsCheckpoint(storage, folder)
}

/**
 * Whether the folder at exactly `path` is a run whose checkpoints are folders, as its first names tell: then it is the
 * run that `loadRun` finds there. False where that is not known without reading more.
 */
export async function isRunOfFolders(storage: ReadStorage, path: string): Promise<boolean> {
  const [listing] = await storage.list([path])
  if (listing?.ok !== true) return false
  const found = await scanFolder(storage, { path, entries: listing.value.slice(0, 4) })
  return found.some(({ kind, path: own }) => kind === 'directory' && dirname(own) === path)
}
