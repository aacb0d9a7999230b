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

/** Entries told before. Checkpoints of one run have the same names in them: one object for each costs least. */
const told = new Map<string, DirectoryEntry>()
const mostTold = 4096

export function entriesOf(found: readonly fs.Dirent[]): DirectoryEntry[] {
  const entries: DirectoryEntry[] = []
  for (const one of found) entries.push(toEntry(one))
  return entries
}

function toEntry(entry: fs.Dirent): DirectoryEntry {
  const { name } = entry
  const kind = kindOf(entry)
  const known = told.get(name)
  if (known?.kind === kind) return known
  const fresh: DirectoryEntry = Object.freeze({ name, kind })
  if (told.size < mostTold) told.set(name, fresh)
  return fresh
}
