/** The local file system, by plain synchronous calls: measured to be the fastest for many small files. */
import * as fs from 'node:fs'
import { isFull, StorageError } from '../errors.js'
import type { AmendHandle, Entry, EntryKind, ReadHandle, Result, Space, Stat, Storage, WriteHandle } from './storage.js'

/** Bytes per read while copying; larger ones were measured to be no faster. */
const copyBlock = 1 << 20
/** Bytes after which what was written is sent to the medium while more is written: the end has less to wait for. */
const syncStride = 1 << 26
/** Bytes after which a long copy lets signals and progress through. */
const breath = 1 << 25

export function localStorage(): Storage {
  return {
    list: async (directories) => directories.map((path) => attempt(path, () => listOne(path))),
    stat: async (paths) => paths.map((path) => attempt(path, () => toStat(fs.statSync(path, { bigint: true })))),
    lstat: async (paths) => paths.map((path) => attempt(path, () => toStat(fs.lstatSync(path, { bigint: true })))),
    read: async (paths, limit) => paths.map((path) => attempt(path, () => readOne(path, limit))),
    resolve: async (paths) => paths.map((path) => attempt(path, () => fs.realpathSync(path))),
    open: async (path) => guard(path, () => openForReading(path)),
    // Loaded when needed: threads and hashes would slow down the start of every command.
    sweep: async (find, options) => (await import('./bulk-read.js')).sweepFiles(find, options ?? {}, describeFailure),
    space: async (paths) => paths.map((path) => attempt(path, () => toSpace(fs.statfsSync(path, { bigint: true })))),
    create: async (path) => guard(path, () => openForWriting(path)),
    append: async (path, bytes) => guard(path, () => appendSynced(path, bytes)),
    makeDirectory: async (path, mode) => guard(path, () => fs.mkdirSync(path, { mode: mode ?? 0o777 })),
    rename: async (from, to) => guard(to, () => fs.renameSync(from, to)),
    unlink: async (path) => guard(path, () => fs.unlinkSync(path)),
    removeDirectory: async (path) => guard(path, () => fs.rmdirSync(path)),
    hardLink: async (existing, path) => guard(path, () => fs.linkSync(existing, path)),
    symbolicLink: async (target, path) => guard(path, () => fs.symlinkSync(target, path)),
    copyFile: async (from, to) => {
      try {
        await fs.promises.copyFile(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE)
      } catch (error) {
        throw toStorageError(to, error)
      }
    },
    cloneFile: (from, to) => cloneOne(from, to),
    amend: async (path) => guard(path, () => new LocalAmendHandle(path, fs.openSync(path, 'r+'))),
    setTimes: async (path, accessed, modified) => guard(path, () => fs.utimesSync(path, accessed, modified)),
    syncFile: async (path) => guard(path, () => syncFile(path)),
    syncDirectory: async (path) => guard(path, () => syncDirectory(path)),
  }
}

/** The system's ways of saying that blocks cannot be shared: with another file system, or in this one. */
const noClones = new Set(['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EINVAL'])

async function cloneOne(from: string, to: string): Promise<boolean> {
  const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = fs.constants
  try {
    await fs.promises.copyFile(from, to, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE)
    return true
  } catch (error) {
    const failure = toStorageError(to, error)
    if (noClones.has(failure.errno)) return false
    throw failure
  }
}

function listOne(path: string): Entry[] {
  return fs.readdirSync(path, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
}

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

function toStat(stats: fs.BigIntStats): Stat {
  return {
    kind: kindOf(stats),
    size: Number(stats.size),
    modified: Number(stats.mtimeNs) / 1e9,
    allocated: Number(stats.blocks) * 512,
    device: stats.dev,
    inode: stats.ino,
    links: Number(stats.nlink),
    mode: Number(stats.mode) & 0o7777,
    owner: Number(stats.uid),
  }
}

function toSpace({ bsize, blocks, bavail }: fs.BigIntStatsFs): Space {
  return { total: Number(bsize * blocks), free: Number(bsize * bavail) }
}

/** Reads as many bytes as there are, whatever the size reported: it may change, and /proc reports 0. */
function readOne(path: string, limit: number): Uint8Array {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  try {
    const stats = fs.fstatSync(fd)
    const { size } = stats
    if (!stats.isFile()) throw noRegularFile(path, stats)
    if (size > limit) throw tooLarge(path, size, limit)
    let bytes = bytesFor(Math.min(size, limit) + 1)
    let length = 0
    for (;;) {
      const count = fs.readSync(fd, bytes, length, bytes.length - length, null)
      length += count
      if (length > limit) throw tooLarge(path, length, limit)
      // A regular file that gave all that it said, and less than was asked for, is at its end: asking again costs a call.
      if (count === 0 || length === size) return bytes.subarray(0, length)
      if (length === bytes.length) bytes = grow(bytes, limit)
    }
  } finally {
    fs.closeSync(fd)
  }
}

/** A pipe or a device may have no end. */
function noRegularFile(path: string, stats: fs.Stats): StorageError {
  return new StorageError(path, stats.isDirectory() ? 'EISDIR' : 'EINVAL', `${path}: not a regular file`)
}

/** Bytes that small files are read into side by side: thousands of small allocations cost more than the reading. */
const slabSize = 1 << 16
let slab = new Uint8Array(0)

function bytesFor(length: number): Uint8Array<ArrayBuffer> {
  if (length > slabSize / 8) return new Uint8Array(length)
  if (length > slab.length) slab = new Uint8Array(slabSize)
  const bytes = slab.subarray(0, length)
  slab = slab.subarray(length)
  return bytes
}

function grow(bytes: Uint8Array, limit: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(bytes.length * 2 + 4096, limit + 1))
  larger.set(bytes)
  return larger
}

function tooLarge(path: string, size: number, limit: number): StorageError {
  return new StorageError(path, 'EFBIG', `${path}: ${size} bytes, and at most ${limit} are read here`)
}

function openForReading(path: string): ReadHandle {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  const stats = fs.fstatSync(fd)
  if (!stats.isFile()) {
    fs.closeSync(fd)
    throw noRegularFile(path, stats)
  }
  return new LocalReadHandle(path, fd, stats.size)
}

class LocalReadHandle implements ReadHandle {
  constructor(
    readonly path: string,
    readonly fd: number,
    readonly size: number,
  ) {}

  async read(into: Uint8Array, position: number): Promise<number> {
    return guard(this.path, () => readFully(this.fd, into, position))
  }

  async stat(): Promise<Stat> {
    return guard(this.path, () => toStat(fs.fstatSync(this.fd, { bigint: true })))
  }

  async close(): Promise<void> {
    guard(this.path, () => fs.closeSync(this.fd))
  }
}

function readFully(fd: number, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const count = fs.readSync(fd, into, done, into.length - done, position + done)
    if (count === 0) break
    done += count
  }
  return done
}

function openForWriting(path: string): WriteHandle {
  return new LocalWriteHandle(path, fs.openSync(path, 'wx'))
}

class LocalWriteHandle implements WriteHandle {
  private block: Uint8Array | undefined
  private sinceSync = 0
  /** What is being sent to the medium in another thread. */
  private syncing: Promise<void> | undefined
  /** The system tells of a failure once: whoever asks again hears that all is well. */
  private syncFailure: Error | null = null

  constructor(
    readonly path: string,
    private readonly fd: number,
    /** Where the next byte goes. */
    protected position = 0,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    this.append(bytes)
  }

  async copyFrom(source: ReadHandle, position: number, length: number): Promise<void> {
    this.block ??= new Uint8Array(copyBlock)
    let sinceBreath = 0
    for (let done = 0; done < length;) {
      const part = this.block.subarray(0, Math.min(copyBlock, length - done))
      const count =
        source instanceof LocalReadHandle
          ? guard(source.path, () => readFully(source.fd, part, position + done))
          : await source.read(part, position + done)
      if (count < part.length) throw endsEarly(source, position + done + count, position + length)
      this.append(part)
      done += count
      sinceBreath += count
      if (sinceBreath >= breath) {
        sinceBreath = 0
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  async sync(): Promise<void> {
    await this.syncing
    if (this.syncFailure !== null) throw toStorageError(this.path, this.syncFailure)
    guard(this.path, () => fs.fsyncSync(this.fd))
  }

  async close(): Promise<void> {
    // The descriptor's number may be another file's once it is closed.
    await this.syncing
    guard(this.path, () => fs.closeSync(this.fd))
  }

  private append(bytes: Uint8Array): void {
    guard(this.path, () => writeFully(this.fd, bytes, this.position))
    this.position += bytes.length
    this.sinceSync += bytes.length
    if (this.sinceSync >= syncStride && this.syncing === undefined) this.startSync()
  }

  private startSync(): void {
    this.sinceSync = 0
    this.syncing = new Promise((resolve) => {
      fs.fdatasync(this.fd, (error) => {
        this.syncFailure ??= error
        this.syncing = undefined
        resolve()
      })
    })
  }
}

class LocalAmendHandle extends LocalWriteHandle implements AmendHandle {
  moveTo(position: number): void {
    this.position = position
  }
}

/** What two processes append at once stands one after the other (open(2), O_APPEND). */
function appendSynced(path: string, bytes: Uint8Array): void {
  const fd = fs.openSync(path, 'a')
  try {
    const count = fs.writeSync(fd, bytes)
    if (count < bytes.length)
      throw new StorageError(path, 'ENOSPC', `${path}: ${count} of ${bytes.length} bytes written`)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}

function endsEarly(source: ReadHandle, at: number, wanted: number): StorageError {
  return new StorageError(
    source.path,
    'EIO',
    `${source.path}: ends at byte ${at} while ${wanted} were expected; did it change?`,
  )
}

function syncFile(path: string): void {
  const fd = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function syncDirectory(path: string): void {
  const fd = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(fd)
  } catch (error) {
    // Some file systems cannot sync a directory; their renames are then as durable as they get.
    if (errnoOf(error) !== 'EINVAL') throw error
  } finally {
    fs.closeSync(fd)
  }
}

function attempt<T>(path: string, call: () => T): Result<T> {
  try {
    return { ok: true, value: call() }
  } catch (error) {
    return { ok: false, error: toStorageError(path, error) }
  }
}

function guard<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw toStorageError(path, error)
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** What the system's codes mean to a person; others are shown as they are. */
const meanings: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of this path is not a directory',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EEXIST: 'it exists already',
  EXDEV: 'the two paths lie on different file systems',
  ENOTEMPTY: 'the directory is not empty',
  ELOOP: 'a symbolic link leads to itself',
  EIO: 'the device reported an I/O error',
}

function toStorageError(path: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error
  const errno = errnoOf(error)
  if (errno === undefined) throw error
  return describeFailure(path, errno, error)
}

function describeFailure(path: string, errno: string, cause?: unknown): StorageError {
  const hint = isFull(errno)
    ? 'make space there (ckpt prune and ckpt trash empty free some), then try again'
    : undefined
  return new StorageError(path, errno, `${path}: ${meanings[errno] ?? errno}`, { cause, ...(hint && { hint }) })
}
