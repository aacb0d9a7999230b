/** The local file system, by plain synchronous calls: measured to be the fastest for many small files. */
import * as fs from 'node:fs'
import { CkptError, StorageError } from '../errors.js'
import { copyInParts, smallestInParts } from './copy-in-parts.js'
import {
  resultOf,
  resultOfEach,
  storageErrorOf,
  errnoOf,
  throwingStorageErrors,
  toStorageError,
} from './storage-errors.js'
import { checkFile, checkFolder, checkOneName, Guard, type GuardedName } from './guarded-folders.js'
import { LocalAmendHandle, LocalReadHandle, LocalWriteHandle, noRegularFile, readWhole } from './local-handles.js'
import { leadsThroughDescriptors, OpenFolder, type ActAs } from './open-folder.js'
import { LocalFolder } from './local-folder.js'
import { Ends, LocalPassage, moveExpected, pathOf } from './local-passage.js'
import { statesOf } from './file-states.js'
import { openNow, StrangersFiles, type OpenFile } from './files-of-others.js'
import { foldersTellChangesAt, permissionsDecideAt } from './permissions-decide.js'
import { entriesOf, toStat } from './stats.js'
import type {
  Custody,
  DirectoryEntry,
  FolderHandle,
  Identity,
  ReadHandle,
  Result,
  Space,
  Stat,
  Storage,
} from './storage.js'

export interface LocalOptions {
  /** Left out: of nobody, who hears nothing. */
  readonly custody?: Partial<Custody>
  /** Given where this process is the superuser's: what is guarded is reached with the rights of its owner. */
  readonly actAs?: ActAs | undefined
}

/** The file system of this machine. Calls never throw but StorageError; those that take many paths answer for each. */
export function localStorage({ custody = {}, actAs }: LocalOptions = {}): Storage {
  const local = new Local(actAs ?? null, custody.user ?? null)
  return {
    custody: { user: null, stateHome: null, ...custody, warn: eachOnce(custody.warn) },
    guard: (folder) => local.guarded.add(folder),
    list: async (directories) => resultOfEach(directories, (path) => local.list(path)),
    stat: async (paths) => resultOfEach(paths, (path) => local.stat(path)),
    lstat: async (paths) => resultOfEach(paths, (path) => local.lstat(path)),
    states: async (paths) => statesOf(paths, (path) => local.lookExactly(path)),
    read: async (paths, limit) => resultOfEach(paths, (path) => readWhole(path, local.openToRead(path), limit)),
    mayRead: async (paths) => resultOfEach(paths, (path) => local.mayRead(path)),
    permissionsDecide: permissionsDecideAt,
    foldersTellChanges: foldersTellChangesAt,
    // The system's own: Node's takes `..` in a link's text for the folder above the text, not above where that leads.
    resolve: async (paths) => resultOfEach(paths, (path) => fs.realpathSync.native(path)),
    open: async (path, head) => throwingStorageErrors(path, () => toReadHandle(path, local.openToRead(path), head)),
    // Loaded when needed: threads and hashes would slow down the start of every command.
    sweep: async (find, options) =>
      (await import('./bulk-read.js')).readInBulk(find, options ?? {}, storageErrorOf, (path) => local.judge(path)),
    space: async (paths) => resultOfEach(paths, (path) => toSpace(fs.statfsSync(path, { bigint: true }))),
    create: async (path, mode) =>
      throwingStorageErrors(path, () => new LocalWriteHandle(path, local.create(path, mode))),
    append: async (path, bytes) =>
      throwingStorageErrors(path, () => appendSynced(path, local.openToAppend(path), bytes)),
    makeDirectory: async (path, mode) => throwingStorageErrors(path, () => local.makeDirectory(path, mode ?? 0o777)),
    rename: async (from, to) => throwingStorageErrors(to, () => local.rename(from, to)),
    move: async (from, to, expected) => throwingStorageErrors(to, () => local.move(from, to, expected)),
    passage: (from, to) => new LocalPassage(local.guarded, from, to),
    openFolder: async (path) => throwingStorageErrors(path, () => local.openFolder(path)),
    unlink: async (path) => throwingStorageErrors(path, () => local.change(path, (at) => fs.unlinkSync(at))),
    removeDirectory: async (path) => throwingStorageErrors(path, () => local.change(path, (at) => fs.rmdirSync(at))),
    hardLink: async (existing, path) =>
      throwingStorageErrors(path, () => local.change(path, (at) => fs.linkSync(existing, at))),
    symbolicLink: async (target, path) =>
      throwingStorageErrors(path, () => local.change(path, (at) => fs.symlinkSync(target, at))),
    copyFile: (from, to, signal) => local.copy(from, to, COPYFILE_EXCL | COPYFILE_FICLONE, signal),
    cloneFile: (from, to) => local.clone(from, to),
    amend: async (path) => throwingStorageErrors(path, () => new LocalAmendHandle(path, local.openToAmend(path))),
    setTimes: async (path, accessed, modified) =>
      throwingStorageErrors(path, () => local.setTimes(path, accessed, modified)),
    syncFile: async (path) => throwingStorageErrors(path, () => syncOpen(local.openToRead(path).fd)),
    syncDirectory: async (path) => throwingStorageErrors(path, () => local.syncDirectory(path)),
  }
}

const { COPYFILE_EXCL, COPYFILE_FICLONE, COPYFILE_FICLONE_FORCE } = fs.constants
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, R_OK } = fs.constants

/** The system's ways of saying that blocks cannot be shared: with another file system, or in this one. */
const noClones = new Set(['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EINVAL'])

/** What others may never do with what ckpt keeps, whatever the umask says. */
const forOthers = 0o002
/** Permissions that a folder of state may have: never those for everyone to change it. */
const forOwnerAndGroup = 0o2775
/** A folder's when nobody asks for others. */
const usualMode = 0o777

/** The calls of which a guarded place has its own way. */
class Local {
  readonly guarded: Guard
  /** Null where this process is not the superuser's: the system itself keeps others from lending our eyes to anybody. */
  private readonly strangers: StrangersFiles | null

  constructor(
    private readonly actAs: ActAs | null,
    user: number | null,
  ) {
    this.guarded = new Guard(actAs, user)
    this.strangers = actAs === null ? null : new StrangersFiles(actAs)
  }

  /** `plain` gets a path that leads to the name itself, and must not follow a link there. */
  change<T>(path: string, plain: (at: string) => T): T {
    return this.inPlace(
      path,
      () => plain(path),
      ({ folder, name }) => plain(folder.at(name)),
    )
  }

  private inPlace<T>(
    path: string,
    plain: () => T,
    inside: (reached: GuardedName) => T,
    use: 'change' | 'sync' = 'change',
  ): T {
    return (this.guarded.reach(path, use, inside) ?? { value: plain() }).value
  }

  /** Thousands of paths lie in no guarded place: for those `plain` is called and nothing else made. */
  private look<T>(path: string, plain: (path: string) => T, inside: (reached: GuardedName) => T): T {
    if (!this.guarded.mayBeState(path)) return plain(path)
    return (this.guarded.reach(path, 'look', inside) ?? { value: plain(path) }).value
  }

  list(path: string): readonly DirectoryEntry[] {
    return this.look(
      path,
      (at) => (this.strangers === null ? listPlain(at) : this.strangers.list(at, listPlain)),
      ({ folder, name, rules }) =>
        using(folder.open(name, path), (one) => {
          if (rules !== null) checkFolder(path, one.stats, rules)
          return entriesOf(one.list())
        }),
    )
  }

  stat(path: string): Stat {
    return this.look(path, statPlain, ({ folder, name }) => {
      const stats = fs.lstatSync(folder.at(name), { bigint: true })
      if (stats.isSymbolicLink()) checkFile(path, stats, null)
      return toStat(stats)
    })
  }

  lookExactly(path: string): fs.BigIntStats {
    return this.look(path, lookPlain, ({ folder, name }) => fs.lstatSync(folder.at(name), { bigint: true }))
  }

  lstat(path: string): Stat {
    return toStat(this.lookExactly(path))
  }

  mayRead(path: string): true {
    return this.look(path, accessPlain, ({ folder, name }) => accessPlain(folder.at(name)))
  }

  /** Which file another thread may read under that name; null where any. */
  judge(path: string): Result<Identity | null> {
    if (this.strangers === null) return { ok: true, value: null }
    return resultOf(path, () => identityOf(this.openToRead(path).fd))
  }

  openToRead(path: string): OpenFile {
    return this.look(
      path,
      (at) => (this.strangers === null ? openNow(at) : this.strangers.openFile(at)),
      (reached) => withStats(openRecord(path, reached, O_RDONLY)),
    )
  }

  /** What two processes append at once stands one after the other (open(2), O_APPEND). */
  openToAppend(path: string): number {
    const how = O_WRONLY | O_APPEND | O_CREAT
    return this.inPlace(
      path,
      () => fs.openSync(path, how | O_NONBLOCK, 0o666),
      (reached) => openRecord(path, reached, how, checkOneName),
    )
  }

  openToAmend(path: string): number {
    return this.inPlace(
      path,
      () => fs.openSync(path, O_RDWR | O_NOFOLLOW),
      (reached) => openRecord(path, reached, O_RDWR, checkOneName),
    )
  }

  create(path: string, mode?: number): number {
    const fd = this.inPlace(
      path,
      () => fs.openSync(path, 'wx'),
      ({ folder, name, rules }) => fs.openSync(folder.at(name), 'wx', 0o666 & ~(rules === null ? 0 : forOthers)),
    )
    if (mode !== undefined) fs.fchmodSync(fd, mode)
    return fd
  }

  makeDirectory(path: string, mode: number): void {
    this.inPlace<unknown>(
      path,
      () => fs.mkdirSync(path, { mode }),
      ({ folder, name, rules, heir, inherits }) => {
        fs.mkdirSync(folder.at(name), { mode: rules === null ? mode : mode & ~forOthers })
        if (this.actAs === null) return
        if (heir !== null && folder.stats.uid === 0n) fs.lchownSync(folder.at(name), heir.owner, heir.group)
        // What the superuser makes can be used by those who can use the run; a private folder stays private.
        const model = heir?.mode ?? (inherits ? Number(folder.stats.mode) : null)
        if (model !== null && mode === usualMode) fs.chmodSync(folder.at(name), model & forOwnerAndGroup)
      },
    )
  }

  /** What was made by other ways than `OpenFolder.act` becomes the folder's owner's too. */
  private give({ folder, name }: GuardedName): void {
    const { uid, gid } = folder.stats
    if (this.actAs !== null && uid !== 0n) fs.lchownSync(folder.at(name), Number(uid), Number(gid))
  }

  rename(from: string, to: string): void {
    this.between(from, to, fs.renameSync)
  }

  move(from: string, to: string, expected: Identity): boolean {
    return this.between(from, to, (one, other) => moveExpected(from, one, other, expected))
  }

  private between<T>(from: string, to: string, call: (from: string, to: string) => T): T {
    const ends = Ends.open(this.guarded, from, to)
    try {
      return ends.act(pathOf(ends.one, from), pathOf(ends.other, to), call)
    } finally {
      ends.close()
    }
  }

  openFolder(path: string): FolderHandle {
    const folder = this.inPlace(
      path,
      () => OpenFolder.at(path, this.actAs),
      (reached) => reached.folder.open(reached.name, path),
      'sync',
    )
    return new LocalFolder(folder)
  }

  async copy(from: string, to: string, how: number, signal?: AbortSignal): Promise<void> {
    const source = throwingStorageErrors(from, () => this.openRegular(from))
    try {
      const isLong = (how & COPYFILE_FICLONE_FORCE) === 0 && fs.fstatSync(source).size >= smallestInParts
      if (isLong && (await this.clone(from, to))) return
      const at = leadsThroughDescriptors() ? `/proc/self/fd/${source}` : from
      await this.copyOpen(to, async (into) =>
        isLong ? copyInParts(source, into, signal) : fs.promises.copyFile(at, into, how),
      )
    } finally {
      fs.closeSync(source)
    }
  }

  private async copyOpen(to: string, copy: (into: string) => Promise<void>): Promise<void> {
    const reached = throwingStorageErrors(to, () => this.guarded.hold(to, 'change'))
    try {
      await copy(pathOf(reached, to))
      takeSetId(pathOf(reached, to))
      if (reached !== null) this.give(reached)
    } catch (error) {
      throw error instanceof CkptError ? error : toStorageError(to, error)
    } finally {
      reached?.folder.close()
    }
  }

  /** What is copied is this very file, whatever its name leads to meanwhile: a pipe would be waited for by the system. */
  private openRegular(path: string): number {
    const { fd, stats } = this.openToRead(path)
    if (stats.isFile()) return fd
    fs.closeSync(fd)
    throw noRegularFile(path, stats)
  }

  async clone(from: string, to: string): Promise<boolean> {
    try {
      await this.copy(from, to, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE)
      return true
    } catch (error) {
      if (error instanceof StorageError && noClones.has(error.errno)) return false
      throw error
    }
  }

  setTimes(path: string, accessed: number, modified: number): void {
    this.inPlace(
      path,
      () => fs.utimesSync(path, accessed, modified),
      ({ folder, name }) => fs.lutimesSync(folder.at(name), accessed, modified),
    )
  }

  /** Some file systems cannot sync a directory; their renames are then as durable as they get. */
  syncDirectory(path: string): void {
    try {
      this.inPlace(
        path,
        () => syncOpen(fs.openSync(path, 'r')),
        ({ folder, name }) => using(folder.open(name, path), (one) => one.sync()),
        'sync',
      )
    } catch (error) {
      if (errnoOf(error) !== 'EINVAL') throw error
    }
  }
}

function listPlain(path: string): readonly DirectoryEntry[] {
  return entriesOf(fs.readdirSync(path, withKinds))
}

const withKinds = { withFileTypes: true } as const

function accessPlain(path: string): true {
  fs.accessSync(path, R_OK)
  return true
}

function statPlain(path: string): Stat {
  return toStat(fs.statSync(path, exactIfThere) ?? nothingThere(path))
}

const exactIfThere = { bigint: true, throwIfNoEntry: false } as const

function lookPlain(path: string): fs.BigIntStats {
  return fs.lstatSync(path, exactIfThere) ?? nothingThere(path)
}

function using<T>(folder: OpenFolder, call: (folder: OpenFolder) => T): T {
  try {
    return call(folder)
  } finally {
    folder.close()
  }
}

/** A regular file that may be a record of ckpt's, opened without following a link and without waiting for anybody. */
function openRecord(
  path: string,
  { folder, name, rules }: GuardedName,
  how: number,
  check?: (path: string, stats: fs.BigIntStats) => void,
): number {
  const fd = openUnfollowed(path, folder.at(name), how)
  try {
    const stats = fs.fstatSync(fd, { bigint: true })
    checkFile(path, stats, rules)
    check?.(path, stats)
    return fd
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

function openUnfollowed(path: string, at: string, how: number): number {
  try {
    return fs.openSync(at, how | O_NOFOLLOW | O_NONBLOCK, 0o666 & ~forOthers)
  } catch (error) {
    // A link, a pipe without a reader, a socket, or a device that is missing.
    const errno = errnoOf(error)
    if (errno === 'ELOOP' || errno === 'EMLINK' || errno === 'ENXIO' || errno === 'EISDIR') {
      checkFile(path, fs.lstatSync(at, { bigint: true }), null)
    }
    throw error
  }
}

/** The system copies permissions too: a stranger's program would run with the rights of the user who copies it (chmod(2)). */
function takeSetId(path: string): void {
  const setId = 0o6000
  if ((fs.lstatSync(path).mode & setId) === 0) return
  const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    fs.fchmodSync(fd, fs.fstatSync(fd).mode & 0o1777)
  } finally {
    fs.closeSync(fd)
  }
}

function toSpace({ bsize, blocks, bavail }: fs.BigIntStatsFs): Space {
  return { total: Number(bsize * blocks), free: Number(bsize * bavail) }
}

/** Without the system's own error: of a hundred thousand links that lead nowhere each would take its time. */
function nothingThere(path: string): never {
  throw storageErrorOf(path, 'ENOENT')
}

/** The file is closed then. */
function identityOf(fd: number): Identity {
  try {
    const { dev, ino } = fs.fstatSync(fd, { bigint: true })
    return { device: dev, inode: ino }
  } finally {
    fs.closeSync(fd)
  }
}

function withStats(fd: number): OpenFile {
  return { fd, stats: fs.fstatSync(fd) }
}

function toReadHandle(path: string, { fd, stats }: OpenFile, head = 0): ReadHandle {
  try {
    if (!stats.isFile()) throw noRegularFile(path, stats)
    return LocalReadHandle.of(path, fd, stats.size, head)
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

/** The file is closed then. */
function appendSynced(path: string, fd: number, bytes: Uint8Array): void {
  try {
    const count = fs.writeSync(fd, bytes)
    if (count < bytes.length)
      throw new StorageError(path, 'ENOSPC', `${path}: ${count} of ${bytes.length} bytes written`)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function syncOpen(fd: number): void {
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function eachOnce(tell: ((text: string) => void) | undefined): (text: string) => void {
  const warned = new Set<string>()
  return (text) => {
    if (warned.has(text)) return
    warned.add(text)
    tell?.(text)
  }
}
