/** Files beside the checkpoints: `../results.csv`, and with a `*` for any part of a name. */
import { dirname } from 'node:path'
import type { ReadStorage } from '../../../storage/storage.js'
import { prefixOf } from '../folders.js'
import type { Folder } from '../layout.js'

/** Absolute paths of the files that a pattern names, relative to the folder, sorted. */
export async function filesBeside(storage: ReadStorage, folder: Folder, pattern: string): Promise<string[]> {
  let level = [folder.path]
  const parts = pattern.split('/')
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1
    level = part === '..' ? level.map((path) => dirname(path)) : await inside(storage, level, part, isLast)
  }
  return level.sort()
}

async function inside(
  storage: ReadStorage,
  folders: readonly string[],
  part: string,
  isLast: boolean,
): Promise<string[]> {
  const listings = await storage.list(folders)
  const name = globOf(part)
  return folders.flatMap((path, index) => {
    const listing = listings[index]
    if (listing?.ok !== true) return []
    const wanted = listing.value.filter(
      (entry) => entry.kind !== (isLast ? 'directory' : 'file') && entry.kind !== 'other' && name.test(entry.name),
    )
    return wanted.map((entry) => prefixOf(path) + entry.name)
  })
}

function globOf(part: string): RegExp {
  const escaped = part.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('.*')}$`)
}
