/** Finds the one run below a folder that the folder stands for, without reading its checkpoints. */
import { dirname } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'
import { isDownloadCache } from './download-caches.js'
import { foldersIn } from './walk.js'
import type { Folder } from './layout.js'
import { scanFolder } from './scan.js'
import { ScanTree } from './scan-tree.js'

/** The most folders that are searched: a folder with more below it does not stand for a single run. */
const mostFolders = 1000
const deepest = 8

/**
 * The folder of the run at or below `path` (absolute): the first with a checkpoint in it, level by level. Where there
 * is none, or nothing can be listed, `path` itself. Never throws.
 */
export async function locateRun(storage: ReadStorage, path: string): Promise<string> {
  return locateIn(ScanTree.over(storage), path)
}

async function locateIn(storage: ReadStorage, path: string): Promise<string> {
  let looked = 0
  let level = [path]
  for (let depth = 0; depth <= deepest && level.length > 0; depth += 1) {
    looked += level.length
    if (looked > mostFolders) break
    const listings = await storage.list(level)
    const folders = level.flatMap((one, index): Folder[] => {
      const listing = listings[index]
      if (listing?.ok !== true) return []
      const folder = { path: one, entries: listing.value }
      return depth > 0 && isDownloadCache(folder) ? [] : [folder]
    })
    const below = folders.flatMap(foldersIn).sort()
    // Then there is no other, whatever lies in it.
    if (depth === 0 && below.length === 0) break
    for (const folder of folders) if (await holdsCheckpoint(storage, folder)) return folder.path
    level = below
  }
  return path
}

/** A few entries at first, then more: of a run the first tell it already, and its metas are not all read. */
async function holdsCheckpoint(storage: ReadStorage, { path, entries }: Folder): Promise<boolean> {
  for (let start = 0, count = 4; start < entries.length; start += count, count *= 4) {
    const found = await scanFolder(storage, { path, entries: entries.slice(start, start + count) })
    if (found.length > 0) return true
  }
  return false
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
