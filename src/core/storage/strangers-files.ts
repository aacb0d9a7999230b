/**
 * What the superuser reads in somebody's folder. That one may have put a link there, also while ckpt works: to a file
 * that only the superuser may read, or to a device that does something when it is opened. So what a name there led to is
 * looked at before it is opened for reading, and what lies elsewhere is opened with the rights of whose folder it is.
 */
import * as fs from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { leadsThroughDescriptors, O_PATH, type ActAs } from './open-folder.js'
import type { Belonging } from './storage.js'

const { O_NONBLOCK, O_RDONLY } = fs.constants

/** Somebody who could put links on the way to a file. */
interface Stranger extends Belonging {
  /** The outermost of what is theirs on that way, with the links above it resolved. */
  readonly place: string
}

interface Known {
  readonly device: number
  readonly inode: number
  readonly stranger: Stranger | null
  /** Others than the superuser may put names there. */
  readonly isShared: boolean
}

export class StrangersFiles {
  /** By the path of a folder: most files lie beside the one that was opened before. */
  private readonly known = new Map<string, Known>()

  constructor(private readonly actAs: ActAs) {}

  /** `open` gets a path to what `path` leads to, and is called with the rights that this may be opened with. */
  open<T>(path: string, open: (at: string) => T): T {
    const stranger = leadsThroughDescriptors() ? this.strangerOnTheWay(path) : null
    if (stranger === null) return open(path)
    const fd = fs.openSync(path, O_PATH)
    try {
      const at = `/proc/self/fd/${fd}`
      const real = fs.readlinkSync(at)
      // A second name may be that of a file which is not theirs.
      const isTheirs = (real === stranger.place || real.startsWith(join(stranger.place, sep))) && !hasNames(fd)
      return isTheirs ? open(at) : this.actAs(stranger, () => open(path))
    } finally {
      fs.closeSync(fd)
    }
  }

  private strangerOnTheWay(path: string): Stranger | null {
    const folder = dirname(path)
    const stats = fs.statSync(folder, { throwIfNoEntry: false })
    if (stats === undefined) return null
    let known = this.known.get(folder)
    if (known?.device !== stats.dev || known.inode !== stats.ino) {
      const isShared = (stats.mode & 0o022) !== 0
      known = { device: stats.dev, inode: stats.ino, stranger: strangerAbove(folder), isShared }
      this.known.set(folder, known)
    }
    if (known.stranger !== null || !known.isShared) return known.stranger
    return strangerAt(path, null)
  }
}

/** The last one on the way from the root to the folder; behind a link of somebody's all counts as theirs. */
function strangerAbove(folder: string): Stranger | null {
  const parts = folder.split(sep)
  let stranger: Stranger | null = null
  for (let count = 2; count <= parts.length; count += 1) {
    const path = parts.slice(0, count).join(sep)
    stranger = strangerAt(path, stranger)
    const isLink = fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
    if (isLink && stranger !== null) return stranger
    if (isLink) stranger = strangerAt(fs.realpathSync(path), null)
  }
  return stranger
}

function strangerAt(path: string, before: Stranger | null): Stranger | null {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined || stats.uid === 0 || stats.uid === before?.owner) return before
  return { owner: stats.uid, group: stats.gid, place: join(fs.realpathSync(dirname(path)), basename(path)) }
}

function hasNames(fd: number): boolean {
  const stats = fs.fstatSync(fd)
  return stats.isFile() && stats.nlink > 1
}

/** A pipe must not wait for who writes to it: O_NONBLOCK. */
export function openNow(at: string): number {
  return fs.openSync(at, O_RDONLY | O_NONBLOCK)
}
