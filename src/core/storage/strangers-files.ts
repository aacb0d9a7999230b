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

/** Whose the way to a folder is. */
interface Way {
  readonly stranger: Stranger | null
  /** It led over a link of theirs: all behind it counts as theirs. */
  readonly isDecided: boolean
  /** Others than the superuser may put another folder into the place of one on the way. */
  readonly isLoose: boolean
}

interface Known extends Way {
  readonly device: number
  readonly inode: number
  /** Others than the superuser may put names there. */
  readonly isShared: boolean
}

export class StrangersFiles {
  /** By the path of a folder: most files lie beside the one that was opened before. */
  private readonly known = new Map<string, Known>()
  /** Those looked at since anything was waited for: a call with hundreds of paths looks at each folder once. */
  private readonly fresh = new Map<string, Known>()

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
    const { stranger, isShared } = this.lookAt(dirname(path))
    return stranger !== null || !isShared ? stranger : strangerAt(path, fs.lstatSync(path), null)
  }

  /** Throws the system's error where nothing is there: what comes there a moment later was not looked at. */
  private lookAt(folder: string): Known {
    const fresh = this.fresh.get(folder)
    if (fresh !== undefined) return fresh
    const own = fs.lstatSync(folder)
    const stats = own.isSymbolicLink() ? fs.statSync(folder) : own
    let known = this.known.get(folder)
    if (known?.device !== stats.dev || known.inode !== stats.ino) {
      known = { device: stats.dev, inode: stats.ino, ...this.wayTo(folder, own), isShared: (stats.mode & 0o022) !== 0 }
      this.known.set(folder, known)
    }
    if (!known.isLoose) this.keepForNow(folder, known)
    return known
  }

  private keepForNow(folder: string, known: Known): void {
    if (this.fresh.size === 0) queueMicrotask(() => this.fresh.clear())
    this.fresh.set(folder, known)
  }

  /** From the root on, the last one whose folder or link lies on the way. */
  private wayTo(folder: string, own: fs.Stats): Way {
    const above = dirname(folder)
    if (above === folder) return nobodys
    const way = this.lookAt(above)
    if (way.isDecided) return way
    const stranger = strangerAt(folder, own, way.stranger)
    const isLink = own.isSymbolicLink()
    const isLoose = way.isLoose || stranger !== null || isLink || isOthersToo(own.mode)
    if (!isLink) return { stranger, isDecided: false, isLoose }
    if (stranger !== null) return { stranger, isDecided: true, isLoose }
    const real = fs.realpathSync(folder)
    return { stranger: strangerAt(real, fs.lstatSync(real), null), isDecided: false, isLoose }
  }
}

const nobodys: Way = { stranger: null, isDecided: false, isLoose: false }

/** With the sticky bit only owners rename what is theirs. */
function isOthersToo(mode: number): boolean {
  return (mode & 0o022) !== 0 && (mode & 0o1000) === 0
}

function strangerAt(path: string, stats: fs.Stats, before: Stranger | null): Stranger | null {
  if (stats.uid === 0 || stats.uid === before?.owner) return before
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
