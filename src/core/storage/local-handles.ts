/** Open files of the local file system. */
import * as fs from 'node:fs'
import { StorageError } from '../errors.js'
import { bytesBetweenYields, yieldToEvents } from './yield-to-events.js'
import { throwingStorageErrors, toStorageError } from './storage-errors.js'
import { toStat } from './stats.js'
import type { OpenFile } from './files-of-others.js'
import type { AmendHandle, ReadHandle, Stat, WriteHandle } from './storage.js'

/** Bytes per read while copying; larger ones were measured to be no faster. */
const copyBlock = 1 << 20
/** Bytes after which what was written is sent to the medium while more is written: the end has less to wait for. */
const syncStride = 1 << 26

/** Of an open file, which is closed then. Reads as many bytes as there are, whatever the size reported: it may change, and /proc reports 0. */
export function readWhole(path: string, { fd, stats }: OpenFile, limit: number): Uint8Array {
  try {
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
export function noRegularFile(path: string, stats: fs.Stats): StorageError {
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

/** Bytes that were read, of whatever files. */
let sinceYield = 0

export class LocalReadHandle implements ReadHandle {
  constructor(
    readonly path: string,
    readonly fd: number,
    readonly size: number,
    readonly head?: Uint8Array,
  ) {}

  /** With its first `length` bytes, if any are wanted. */
  static of(path: string, fd: number, size: number, length: number): LocalReadHandle {
    if (length === 0 || size === 0) return new LocalReadHandle(path, fd, size)
    const bytes = bytesFor(Math.min(length, size))
    return new LocalReadHandle(path, fd, size, bytes.subarray(0, readFully(fd, bytes, 0)))
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const count = throwingStorageErrors(this.path, () => readFully(this.fd, into, position))
    sinceYield += count
    if (sinceYield >= bytesBetweenYields) {
      sinceYield = 0
      await yieldToEvents()
    }
    return count
  }

  async stat(): Promise<Stat> {
    return throwingStorageErrors(this.path, () => toStat(fs.fstatSync(this.fd, { bigint: true })))
  }

  async close(): Promise<void> {
    throwingStorageErrors(this.path, () => fs.closeSync(this.fd))
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

export class LocalWriteHandle implements WriteHandle {
  private block: Uint8Array | undefined
  private sinceSync = 0
  /** What is being sent to the medium in another thread. */
  private syncing: Promise<void> | undefined
  /** fsync reports a write error once; a second call succeeds. */
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
    let sinceYield = 0
    for (let done = 0; done < length;) {
      const part = this.block.subarray(0, Math.min(copyBlock, length - done))
      const count =
        source instanceof LocalReadHandle
          ? throwingStorageErrors(source.path, () => readFully(source.fd, part, position + done))
          : await source.read(part, position + done)
      if (count < part.length) throw endsEarly(source, position + done + count, position + length)
      this.append(part)
      done += count
      sinceYield += count
      if (sinceYield >= bytesBetweenYields) {
        sinceYield = 0
        await yieldToEvents()
      }
    }
  }

  async sync(): Promise<void> {
    await this.syncing
    if (this.syncFailure !== null) throw toStorageError(this.path, this.syncFailure)
    throwingStorageErrors(this.path, () => fs.fsyncSync(this.fd))
  }

  async close(): Promise<void> {
    // The descriptor's number may be another file's once it is closed.
    await this.syncing
    throwingStorageErrors(this.path, () => fs.closeSync(this.fd))
  }

  private append(bytes: Uint8Array): void {
    throwingStorageErrors(this.path, () => writeFully(this.fd, bytes, this.position))
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

export class LocalAmendHandle extends LocalWriteHandle implements AmendHandle {
  moveTo(position: number): void {
    this.position = position
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
