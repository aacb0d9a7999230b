/**
 * What the superuser reads in somebody's folder. That one may have put a link there, also while ckpt works: to a file
 * that only the superuser may read, or to a device that does something when it is opened. So what a name there led to is
 * looked at before it is opened for reading, and what lies elsewhere is opened with the rights of whose folder it is.
 */
import * as fs from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { openLeavingAccessTime } from './leave-access-time.js'
import { errnoOf } from './storage-errors.js'
import { leadsThroughDescriptors, O_PATH, type ActAs } from './open-folder.js'
import type { Belonging, DirectoryEntry } from './storage.js'
import { Ways } from './ways.js'

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants

/** A file, as it was when it was opened. */
export interface OpenFile {
  readonly fd: number
  readonly stats: fs.Stats
}

export class StrangersFiles {
  private readonly ways = new Ways()

  constructor(private readonly actAs: ActAs) {}

  /** `list` gets a path to what `path` leads to, and is called with the rights that this may be opened with. */
  list(path: string, list: (at: string) => readonly DirectoryEntry[]): readonly DirectoryEntry[] {
    if (!leadsThroughDescriptors()) return list(path)
    const entries = this.ways.isListedFolder(path) ? list(path) : this.open(path, list)
    this.ways.note(path, entries)
    return entries
  }

  openFile(path: string): OpenFile {
    if (!leadsThroughDescriptors()) return openNow(path)
    return (this.ways.isInListedFolder(path) ? this.openThere(path) : null) ?? this.open(path, openNow)
  }

  /** In a folder that is not a link: whosever it is, a file with one name is theirs. Null where it is a link or has more. */
  private openThere(path: string): OpenFile | null {
    const opened = openUnfollowed(path)
    if (opened === null || !hasNames(opened.stats)) return opened
    const isOurs = this.ways.to(dirname(path)).isFirm
    if (!isOurs) fs.closeSync(opened.fd)
    return isOurs ? opened : null
  }

  private open<T>(path: string, open: (at: string) => T): T {
    const { stranger, isLoose, real } = this.ways.to(path)
    if (stranger === null && !isLoose) return open(path)
    const fd = fs.openSync(path, O_PATH)
    try {
      const at = `/proc/self/fd/${fd}`
      const now = fs.readlinkSync(at)
      if (stranger === null) return now === real ? open(at) : this.actAs(nobody, () => open(path))
      // A second name may be that of a file which is not theirs.
      const isTheirs =
        (now === stranger.folder || now.startsWith(join(stranger.folder, sep))) && !hasNames(fs.fstatSync(fd))
      return isTheirs ? open(at) : this.actAs(stranger, () => open(path))
    } finally {
      fs.closeSync(fd)
    }
  }
}

/** The user to act as where somebody has swapped what was looked at: one without any rights (its usual number). */
const nobody: Belonging = { owner: 65_534, group: 65_534 }

function hasNames(stats: fs.Stats): boolean {
  return stats.isFile() && stats.nlink > 1
}

/** A pipe must not wait for who writes to it: O_NONBLOCK. */
export function openNow(at: string): OpenFile {
  return openWith(at, O_RDONLY | O_NONBLOCK)
}

/** Null for a link. */
function openUnfollowed(at: string): OpenFile | null {
  try {
    return openWith(at, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') return null
    throw error
  }
}

function openWith(at: string, how: number): OpenFile {
  const fd = openLeavingAccessTime(fs, at, how)
  try {
    return { fd, stats: fs.fstatSync(fd) }
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}
