/** Finds runs below a folder portion by portion, so that some are known soon, however many there are. */
import { join, relative } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'
import { onFileSystemOf } from './folders.js'
import { isRun, locateRuns } from './locate-run.js'
import { ScanTree } from './scan-tree.js'
import { foldersIn } from './walk.js'

/** Folders beside each other that are searched together: first a few, which tell where runs lie. */
const atFirst = 2
const portion = 16
/** Folders below one of them that are looked at, at most. */
const mostBelow = 200
/** Places below a folder that are tried first in the next, at most. */
const mostPlaces = 3

export interface ManyRunsBounds {
  /** Of what lies in the folder only that whose name begins so is looked at. */
  readonly begun?: string
  /** Asked between portions, with how many folders have been searched: no more are. */
  readonly isOver: (searched: number) => boolean
}

/**
 * Folders of runs at and below `path` (absolute), as `locateRuns` finds them, but one portion of the folders there after
 * the other. Runs beside each other mostly lie alike (`exp-1/save`, `exp-2/save`): where a run was found below one
 * folder, it is looked for first below the next, and found there nothing else is sought below that. Never throws.
 */
export async function* locateManyRuns(
  storage: ReadStorage,
  path: string,
  { begun = '', isOver }: ManyRunsBounds,
): AsyncGenerator<string> {
  const tree = ScanTree.over(storage)
  const [listing] = await tree.list([path])
  if (listing?.ok !== true) return
  const folder = { path, entries: listing.value.filter(({ name }) => name.startsWith(begun)) }
  if (await isRun(tree, folder, portion)) {
    yield path
    return
  }
  const below = await onFileSystemOf(tree, path, foldersIn(folder))
  const places = new Set<string>()
  for (let start = 0, count = atFirst; start < below.length; start += count, count = portion) {
    yield* await locateIn(tree, below.slice(start, start + count), places)
    if (isOver(start + count)) return
  }
}

/** Adds to `places` where runs were found. */
async function locateIn(tree: ScanTree, folders: readonly string[], places: Set<string>): Promise<string[]> {
  const found = new Map<string, string[]>()
  for (const place of [...places].slice(0, mostPlaces)) await lookAt(tree, folders, place, found)
  const others = folders.filter((folder) => !found.has(folder))
  await Promise.all(
    others.map(async (folder) => {
      const runs: string[] = []
      for await (const run of locateRuns(tree, folder, { most: mostBelow })) {
        places.add(relative(folder, run))
        runs.push(run)
      }
      found.set(folder, runs)
    }),
  )
  return folders.flatMap((folder) => found.get(folder) ?? [])
}

/** Which of the folders have a run at this place in them. */
async function lookAt(
  tree: ScanTree,
  folders: readonly string[],
  place: string,
  found: Map<string, string[]>,
): Promise<void> {
  const paths = folders.map((folder) => join(folder, place))
  const listings = await tree.list(paths)
  for (const [index, folder] of folders.entries()) {
    const [path, listing] = [paths[index], listings[index]]
    if (path === undefined || listing?.ok !== true) continue
    if (await isRun(tree, { path, entries: listing.value })) found.set(folder, [...(found.get(folder) ?? []), path])
  }
}
