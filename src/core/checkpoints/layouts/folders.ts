/** What several layouts need of folders: which names in them lead to a directory, and paths built fast. */
import { sep } from 'node:path'
import type { Finding } from '../../checkpoint.js'
import { isAbsence, isUnreadable, reasonOf, type StorageError } from '../../errors.js'
import type { DirectoryEntry, ReadStorage, Stat } from '../../storage/storage.js'

/** Folders of tools, which hold thousands of others, no run and no checkpoint. */
export const foldersOfTools: ReadonlySet<string> = new Set([
  'node_modules',
  '__pycache__',
  'site-packages',
  'dist-packages',
  'lost+found',
])

/** The kernel's own, right below the root of the file system: as many folders as there are processes and devices. */
export const foldersOfKernel: ReadonlySet<string> = new Set(['/proc', '/sys', '/dev'])

/** What to put before a name: `path.join` normalises, which costs more than the rest of a scan. */
export function prefixOf(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep
}

/** Of these folders below `root` (absolute, all) those on its file system, and those of which that cannot be told. */
export async function onFileSystemOf(
  storage: ReadStorage,
  root: string,
  paths: readonly string[],
): Promise<readonly string[]> {
  if (paths.length === 0) return paths
  const [own, ...stats] = await storage.lstat([`${root}/.`, ...paths])
  if (own?.ok !== true) return paths
  return paths.filter((_, index) => {
    const stat = stats[index]
    return stat?.ok !== true || stat.value.device === own.value.device
  })
}

/** Parts of a list, so that what is read at once has a bound. */
export function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

/** A failed read as a finding; null when the file is simply not there. */
export function findingOf(error: StorageError, file?: string): Finding | null {
  if (isAbsence(error.errno)) return null
  const grade = isUnreadable(error.errno) ? 'unreadable' : 'corrupt'
  return { grade, ...(file === undefined ? {} : { file }), reason: reasonOf(error) }
}

/** Nothing of it can be read back, and reading it may never end. */
export const noFileReason = 'not a file, but a pipe, a socket or a device'
export const folderReason = 'not a file, but a folder'
export const danglingReason = 'a symbolic link that leads nowhere'

/** An entry of a folder, and its path. */
export interface EntryWithPath {
  readonly entry: DirectoryEntry
  readonly path: string
}

/** By path, the entries that are not regular files, with what is wrong. Folders are left to their readers. */
export async function findNoFiles(
  storage: ReadStorage,
  entries: readonly EntryWithPath[],
): Promise<ReadonlyMap<string, Finding>> {
  const odd = entries.filter(({ entry }) => entry.kind === 'link' || entry.kind === 'other')
  const stats = await storage.stat(odd.map(({ path }) => path))
  return new Map(
    odd.flatMap(({ entry, path }, index): [string, Finding][] => {
      const stat = stats[index]
      const file = entry.name
      if (stat?.ok === true)
        return isNoFile(stat.value) ? [[path, { grade: 'corrupt', file, reason: noFileReason }]] : []
      if (entry.kind !== 'link' || stat === undefined) return []
      return [[path, findingOf(stat.error, file) ?? { grade: 'partial', file, reason: danglingReason }]]
    }),
  )
}

export function isNoFile({ kind }: Stat): boolean {
  return kind === 'other'
}

/** By code unit: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
