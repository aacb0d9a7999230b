/** What the system tells of a name, in our words. */
import type * as fs from 'node:fs'
import type { DirectoryEntry, EntryKind, Stat } from './storage.js'

/** What both a listing and a look tell. */
interface Kinds {
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
}

function kindOf(of: Kinds): EntryKind {
  if (of.isFile()) return 'file'
  if (of.isDirectory()) return 'directory'
  return of.isSymbolicLink() ? 'link' : 'other'
}

export function toStat(stats: fs.BigIntStats): Stat {
  return {
    kind: kindOf(stats),
    size: Number(stats.size),
    modified: Number(stats.mtimeNs) / 1e9,
    modifiedNs: stats.mtimeNs,
    changedNs: stats.ctimeNs,
    allocated: Number(stats.blocks) * 512,
    device: stats.dev,
    inode: stats.ino,
    links: Number(stats.nlink),
    mode: Number(stats.mode) & 0o7777,
    owner: Number(stats.uid),
    group: Number(stats.gid),
  }
}

/**
 * The listing that was given last: checkpoints of one run have the same names in them, so that one list stands for all, and
 * whatever is known of it.
 */
let last: readonly DirectoryEntry[] = []

export function entriesOf(found: readonly fs.Dirent[]): readonly DirectoryEntry[] {
  const { length } = found
  let same = 0
  while (same < length && isEntry(found[same], last[same])) same += 1
  if (same === length && same === last.length) return last
  const entries: DirectoryEntry[] = []
  for (const [at, one] of found.entries()) {
    const { name } = one
    const before = at < same ? last[at] : undefined
    entries.push(before ?? toEntry(name, kindOf(one), length))
  }
  return (last = entries)
}

function isEntry(one: fs.Dirent | undefined, entry: DirectoryEntry | undefined): boolean {
  return one !== undefined && entry?.name === one.name && entry.kind === kindOf(one)
}

/** Entries given before, of folders that are no larger than a checkpoint's: one object for each name costs least. */
const kept = new Map<string, DirectoryEntry>()
const mostKept = 4096
const fewEntries = 256

function toEntry(name: string, kind: EntryKind, count: number): DirectoryEntry {
  if (count > fewEntries) return { name, kind }
  const known = kept.get(name)
  if (known?.kind === kind) return known
  const fresh: DirectoryEntry = { name, kind }
  if (kept.size < mostKept) kept.set(name, fresh)
  return fresh
}
