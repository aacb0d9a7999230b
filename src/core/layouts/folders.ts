/** What several layouts need of folders: which names in them lead to a directory, and paths built fast. */
import { sep } from 'node:path'
import type { Finding } from '../checkpoint.js'
import { isAbsence, type StorageError } from '../errors.js'
import type { Entry, ReadStorage } from '../storage/storage.js'
import type { Folder } from './layout.js'

/** What to put before a name: `path.join` normalises, which costs more than the rest of a scan. */
export function prefixOf(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep
}

/** Names of the directories in the folder that `accepts` takes, sorted; links that lead to a directory count. */
export async function directoryNames(
  storage: ReadStorage,
  folder: Folder,
  accepts: (name: string) => boolean,
): Promise<string[]> {
  const candidates = folder.entries.filter((entry) => canBeDirectory(entry) && accepts(entry.name))
  const links = candidates.filter((entry) => entry.kind === 'link').map((entry) => entry.name)
  const led = await storage.stat(links.map((name) => prefixOf(folder.path) + name))
  const elsewhere = new Set(links.filter((_, index) => !leadsToDirectory(led[index])))
  return candidates
    .map((entry) => entry.name)
    .filter((name) => !elsewhere.has(name))
    .sort()
}

function canBeDirectory(entry: Entry): boolean {
  return entry.kind === 'directory' || entry.kind === 'link'
}

function leadsToDirectory(result: Awaited<ReturnType<ReadStorage['stat']>>[number] | undefined): boolean {
  return result?.ok === true && result.value.kind === 'directory'
}

/** Parts of a list, so that what is read at once has a bound. */
export function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

/** A failed read as a finding; null when the file is simply not there. */
export function findingOf(error: StorageError, file?: string): Finding | null {
  if (isAbsence(error.errno)) return null
  const reason = reasonOf(error)
  return file === undefined ? { grade: 'corrupt', reason } : { grade: 'corrupt', file, reason }
}

/** The error's words without the path that the reader sees anyway. */
export function reasonOf(error: StorageError): string {
  const prefix = `${error.path}: `
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
}

/** By code unit: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
