/** Where in a folder programs have written down what they were started with. */
import type { DirectoryEntry, ReadStorage } from '../../storage/storage.js'
import { compareText, prefixOf } from '../layouts/index.js'
import type { FileKind } from './sources.js'

/** Absolute paths of the files of that kind in a folder with these entries. */
export async function filesOfKind(
  storage: ReadStorage,
  folder: string,
  entries: readonly DirectoryEntry[],
  { name, inside }: FileKind,
): Promise<string[]> {
  const prefix = prefixOf(folder)
  if (inside === undefined) return entries.filter(isFileOf(name)).map((entry) => prefix + entry.name)
  if (!entries.some((entry) => entry.name === inside && entry.kind === 'directory')) return []
  const [listing] = await storage.list([prefix + inside])
  return listing?.ok === true
    ? listing.value.filter(isFileOf(name)).map((entry) => `${prefix}${inside}/${entry.name}`)
    : []
}

export function isFileOf(name: RegExp): (entry: DirectoryEntry) => boolean {
  return (entry) => (entry.kind === 'file' || entry.kind === 'link') && name.test(entry.name)
}

/**
 * Of the runs in a folder `wandb` the newest: their names begin with the time. `latest-run` is a link to it, which in a
 * copy may be all that there is. Undefined where there is none.
 */
export function newestWandbRun(entries: readonly DirectoryEntry[]): string | undefined {
  const names = entries.map(({ name }) => name).filter((name) => /^((offline-)?run-|latest-run$)/.test(name))
  return names.sort((a, b) => compareText(timeIn(b), timeIn(a)))[0]
}

/** `20261128_234746` of `offline-run-20261128_234746-a1b2c3d4`. */
function timeIn(name: string): string {
  return /run-(\d{8}_\d{6})/.exec(name)?.[1] ?? ''
}
