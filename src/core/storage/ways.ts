/**
 * Whose the way to a name is: who else than the superuser has put a link on it, or could put one there yet. All links are
 * followed one by one, so that none behind one of the superuser's own is missed.
 */
import * as fs from 'node:fs'
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { storageErrorOf } from './storage-errors.js'
import type { Belonging, DirectoryEntry } from './storage.js'

/** Somebody who could put links on the way. */
export interface Stranger extends Belonging {
  /** The outermost of what is theirs on that way, with the links above it resolved. */
  readonly folder: string
}

export interface Way {
  /** Where it leads, with all links resolved; as far as the first link of somebody's. */
  readonly real: string
  readonly stranger: Stranger | null
  /** It led over a link of theirs: all behind it counts as theirs. */
  readonly isDecided: boolean
  /** Others than the superuser may put another folder into the place of one on the way. */
  readonly isLoose: boolean
  /** It leads to a folder in which the superuser alone changes names, and always will as long as modes stay. */
  readonly isFirm: boolean
  /** What it leads to; null where that was not looked at. */
  readonly stats: fs.Stats | null
}

/** The names in a firm folder, as they were when it had last changed at that time. */
interface Listed {
  readonly path: string
  /** Of the paths in it. */
  readonly prefix: string
  readonly changed: number
  readonly entries: readonly DirectoryEntry[]
  folders: FolderNames | null
}

/** As many links as the system follows (path_resolution(7)). */
const mostLinks = 40
/** Entries of listings that are kept at most. */
const mostEntries = 400_000

export class Ways {
  /**
   * What was looked at since events were last waited for, of ways that the superuser alone can change: thousands of calls
   * look at each folder once.
   */
  private readonly fresh = new Map<string, Way>()
  /** Folders of somebody's stay theirs: most files lie beside the one that was opened before. */
  private readonly somebodys = new Map<string, Way>()
  private readonly listed = new Map<string, Listed>()
  /** The one that was asked for last: most paths lie in the same. */
  private near: Listed | null = null
  /** A listing without folders: that of most checkpoints is the same. */
  private flat: readonly DirectoryEntry[] | null = null
  private entries = 0

  /** Throws the system's error where nothing is there: what comes there a moment later was not looked at. */
  to(path: string, links = 0): Way {
    const known = this.fresh.get(path) ?? this.knownOfSomebodys(path)
    if (known !== undefined) return known
    const above = dirname(path)
    if (above === path) return { ...ours, real: path }
    const way = this.step(this.to(above, links), basename(path), links)
    if (way.stats?.isDirectory() === true) this.keep(path, way)
    return way
  }

  /**
   * Whether a folder lies in a firm one, whose listing showed that it is a folder and no link: so nobody could
   * have put a link in its place since. Nothing is looked at for it but the firm one, once for thousands of paths.
   */
  isListedFolder(path: string): boolean {
    const known = this.below(path)
    if (known === null || path.includes(sep, known.prefix.length)) return this.isListed(dirname(path), basename(path))
    return this.isListed(known.path, path.slice(known.prefix.length))
  }

  /** The same of the folder that a file lies in. */
  isInListedFolder(file: string): boolean {
    const known = this.below(file)
    const end = known === null ? -1 : file.indexOf(sep, known.prefix.length)
    if (known === null || end < 0 || file.includes(sep, end + 1)) return this.isListedFolder(dirname(file))
    return this.isListed(known.path, file.slice(known.prefix.length, end))
  }

  private below(path: string): Listed | null {
    return this.near !== null && path.startsWith(this.near.prefix) ? this.near : null
  }

  private isListed(above: string, name: string): boolean {
    const listed = this.near?.path === above ? this.near : this.listed.get(above)
    if (listed === undefined) return false
    this.near = listed
    const { isFirm, stats } = this.to(above)
    if (!isFirm || stats?.ctimeMs !== listed.changed) return false
    listed.folders ??= new FolderNames(listed.entries)
    return listed.folders.has(name)
  }

  /** Remembers what a folder was just listed with. */
  note(path: string, entries: readonly DirectoryEntry[]): void {
    if (entries === this.flat) return
    if (!entries.some(({ kind }) => kind === 'directory')) {
      this.flat = entries
      return
    }
    const way = this.toIfThere(path)
    if (way?.isFirm !== true || way.stats === null) return
    this.entries += entries.length
    if (this.entries > mostEntries) {
      this.listed.clear()
      this.near = null
      this.entries = entries.length
    }
    const prefix = path.endsWith(sep) ? path : path + sep
    this.listed.set(path, { path, prefix, changed: way.stats.ctimeMs, entries, folders: null })
    this.near = null
  }

  private toIfThere(path: string): Way | null {
    try {
      return this.to(path)
    } catch {
      return null
    }
  }

  private knownOfSomebodys(path: string): Way | undefined {
    const known = this.somebodys.get(path)
    if (known === undefined) return undefined
    const { dev, ino } = fs.lstatSync(path)
    return known.stats?.dev === dev && known.stats.ino === ino ? known : undefined
  }

  private keep(path: string, way: Way): void {
    if (way.stranger !== null) this.somebodys.set(path, way)
    if (way.isLoose) return
    if (this.fresh.size === 0) setImmediate(() => this.fresh.clear()).unref()
    this.fresh.set(path, way)
  }

  private step(folder: Way, name: string, links: number): Way {
    if (folder.isDecided || name === '' || name === '.') return folder
    if (name === '..') return this.to(dirname(folder.real), links)
    const real = join(folder.real, name)
    const stats = fs.lstatSync(real)
    const stranger = strangerAt(real, stats, folder.stranger)
    if (!stats.isSymbolicLink()) return wayTo(real, stats, stranger, folder.isLoose)
    if (stranger !== null) return { real, stranger, isDecided: true, isLoose: true, isFirm: false, stats }
    const way = this.behind(folder, real, links)
    return folder.isLoose ? { ...way, isLoose: true, isFirm: false } : way
  }

  /** Behind a link of the superuser's own. */
  private behind(folder: Way, link: string, links: number): Way {
    if (links === mostLinks) throw storageErrorOf(link, 'ELOOP')
    const target = fs.readlinkSync(link)
    // What the kernel's own links to open files say need not be a path: `pipe:[4711]`.
    const isNoPath = link.startsWith('/proc/') && !fs.existsSync(resolve(folder.real, target))
    if (isNoPath) return { ...ours, real: link }
    let way: Way = isAbsolute(target) ? { ...ours, real: '/' } : folder
    for (const name of target.split('/')) way = this.step(way, name, links + 1)
    return way
  }
}

/** Nobody's but the superuser's. */
const ours: Omit<Way, 'real'> = { stranger: null, isDecided: false, isLoose: false, isFirm: false, stats: null }

function wayTo(real: string, stats: fs.Stats, stranger: Stranger | null, isLooseAbove: boolean): Way {
  const isFolder = stats.isDirectory()
  const isOthersToo = isFolder && (stats.mode & 0o022) !== 0
  // With the sticky bit only owners rename what is theirs.
  const isLoose = isLooseAbove || stranger !== null || (isOthersToo && (stats.mode & 0o1000) === 0)
  return { real, stranger, isDecided: false, isLoose, isFirm: isFolder && !isLoose && !isOthersToo, stats }
}

function strangerAt(real: string, { uid, gid }: fs.Stats, before: Stranger | null): Stranger | null {
  return uid === 0 || uid === before?.owner ? before : { owner: uid, group: gid, folder: real }
}

/** Of one listing, in whose order they are mostly asked for: the one behind the last is tried before a table of all. */
class FolderNames {
  private readonly names: string[] = []
  private places: Map<string, number> | null = null
  private next = 0

  constructor(entries: readonly DirectoryEntry[]) {
    for (const { name, kind } of entries) if (kind === 'directory') this.names.push(name)
  }

  has(name: string): boolean {
    if (this.names[this.next] !== name) {
      this.places ??= new Map(this.names.map((one, index) => [one, index]))
      const place = this.places.get(name)
      if (place === undefined) return false
      this.next = place
    }
    this.next += 1
    return true
  }
}
