/** The files of a model's folder and of the folders in it. */
import { join, sep } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'
import { isForeignFolder } from './names.js'

export interface FileThere {
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** Bytes. */
  readonly size: number
}

/** One folder of a model: its own, or that of one of its parts (`unet/`, `1_Pooling/`). */
export interface Branch {
  /** Absolute. */
  readonly path: string
  /** What names in it begin with, from the model's folder on: empty, or `unet/`. */
  readonly prefix: string
  readonly files: readonly FileThere[]
}

/** Parts of parts: `text_encoder/…`, `2_Dense/`. No library nests deeper. */
const deepest = 3

/**
 * The folder (absolute) and those in it, itself first; links are followed, as a hub's cache has them. Folders of a
 * training are passed over, and named to `onForeign` by their paths from here.
 */
export async function readBranches(
  storage: ReadStorage,
  path: string,
  onForeign: (name: string) => void,
  prefix = '',
  depth = 0,
): Promise<Branch[]> {
  const [listed] = await storage.list([path])
  if (listed?.ok !== true) throw listed?.error ?? new RangeError(`${path} was not listed`)
  const names = listed.value.map(({ name }) => name)
  const { files, folders } = await sortOut(storage, path, names)
  const branches: Branch[] = [{ path, prefix, files }]
  const leadsUp = await leadingUp(storage, path, folders)
  for (const name of folders) {
    if (isForeignFolder(name) || depth >= deepest || leadsUp.has(name)) onForeign(`${prefix}${name}/`)
    else branches.push(...(await readBranches(storage, join(path, name), onForeign, `${prefix}${name}/`, depth + 1)))
  }
  return branches
}

/** Of folders in this one those that are links to one that it lies in: they hold the run again, or a whole disk. */
async function leadingUp(storage: ReadStorage, path: string, names: readonly string[]): Promise<ReadonlySet<string>> {
  const [own, ...others] = await storage.resolve([path, ...names.map((name) => join(path, name))])
  if (own?.ok !== true) return new Set()
  const here = join(own.value, sep)
  return new Set(
    names.filter((_, index) => {
      const other = others[index]
      return other?.ok !== true || here.startsWith(join(other.value, sep))
    }),
  )
}

/** The files right in a folder; none where it cannot be listed. */
export async function filesIn(storage: ReadStorage, path: string): Promise<FileThere[]> {
  const [listed] = await storage.list([path])
  if (listed?.ok !== true) return []
  const names = listed.value.flatMap(({ name, kind }) => (kind === 'directory' ? [] : [name]))
  return (await sortOut(storage, path, names)).files
}

/** What lies under names in a folder, in their order: links are what they lead to, and what leads nowhere is left out. */
async function sortOut(
  storage: ReadStorage,
  path: string,
  unsorted: readonly string[],
): Promise<{ readonly files: FileThere[]; readonly folders: string[] }> {
  const names = unsorted.toSorted()
  const stats = await storage.stat(names.map((name) => join(path, name)))
  const files: FileThere[] = []
  const folders: string[] = []
  for (const [index, name] of names.entries()) {
    const stat = stats[index]
    if (stat?.ok !== true) continue
    if (stat.value.kind === 'file') files.push({ name, path: join(path, name), size: stat.value.size })
    if (stat.value.kind === 'directory') folders.push(name)
  }
  return { files, folders }
}
