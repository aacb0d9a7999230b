/** The steps in which files are read through, as they run in each thread. */
import type { Hash } from 'node:crypto'
import type * as Fs from 'node:fs'
import type { Crc32 } from '../formats/bytes/crc32.js'
import { openLeavingAccessTime } from './leave-access-time.js'
import { leadsThroughDescriptors, O_PATH } from './open-folder.js'
import type { Identity, Range, SweepSums } from './storage.js'

/** A part of one file for one thread: all of it where its SHA-256 is wanted. */
export interface SweepTask {
  readonly path: string
  readonly from: number
  readonly to: number
  /** Within the part; none is empty. */
  readonly ranges: readonly Range[]
  readonly sha256: boolean
  /** The file that it must be; null where it may be whatever has the name. */
  readonly identity: Identity | null
}

/** Checksums, or what failed: a code of the system, or the byte at which the file ended. */
export type SweepAnswer = SweepSums | { readonly errno: string } | { readonly endedAt: number }

/** What the steps take from their thread. */
export interface SweepTools {
  readonly fs: Pick<typeof Fs, 'constants' | 'openSync' | 'fstatSync' | 'readSync' | 'closeSync'>
  readonly crc32: Crc32
  readonly startSha256: () => Hash
}

export interface SweepSteps {
  /** Reads one block, and begins the next task where one has ended; gives its bytes, -1 when nothing is left to do. */
  readonly step: () => number
  /** By the task's place. */
  readonly answers: ReadonlyMap<number, SweepAnswer>
}

/** A task that has begun. */
interface Reading {
  readonly index: number
  readonly task: SweepTask
  readonly crcs: number[]
  readonly hash: Hash | undefined
  /** -1 until the file is open. */
  fd: number
  at: number
  /** The range that is being summed. */
  next: number
}

/**
 * Takes tasks until none is left or the flag is set. `counters` are shared by all threads: tasks taken, bytes read
 * (modulo 2^32), the flag that stops. What runs for each block is kept small, and blocks large: else V8 finds it worth
 * compiling, in each thread anew, which takes a hundred milliseconds of the processor.
 */
export function makeSweepSteps(
  tasks: readonly SweepTask[],
  counters: Int32Array,
  { fs, crc32, startSha256 }: SweepTools,
): SweepSteps {
  // Small enough to stay in the processor's cache between the copy and the sum.
  const block = new Uint8Array(524288)
  // A pipe that has come into a file's place since it was looked at must not be waited for.
  const nonBlocking = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK
  const answers = new Map<number, SweepAnswer>()
  let reading: Reading | undefined

  function step(): number {
    const one = (reading ??= begin())
    if (one === undefined) return -1
    try {
      if (one.fd === -1) open(one)
      const count = readBlock(one)
      if (one.at === one.task.to) end(one, { crcs: one.crcs, sha256: one.hash?.digest('hex') ?? null })
      else if (count === 0 || isStopped()) end(one, { endedAt: one.at })
      return count
    } catch (error) {
      end(one, { errno: String((error as { code?: unknown }).code ?? error) })
      return 0
    }
  }

  function begin(): Reading | undefined {
    if (isStopped()) return undefined
    const index = Atomics.add(counters, 0, 1)
    const task = tasks[index]
    if (task === undefined) return undefined
    const hash = task.sha256 ? startSha256() : undefined
    return { index, task, crcs: task.ranges.map(() => 0), hash, fd: -1, at: task.from, next: 0 }
  }

  function open(one: Reading): void {
    const { path, identity } = one.task
    if (identity === null || !leadsThroughDescriptors()) {
      one.fd = openLeavingAccessTime(fs, path, nonBlocking)
      refuseAnother(path, one.fd, identity)
      return
    }
    const looked = fs.openSync(path, O_PATH)
    try {
      // A device that has come into the file's place may do something when it is opened to be read.
      refuseAnother(path, looked, identity)
      one.fd = openLeavingAccessTime(fs, `/proc/self/fd/${looked}`, nonBlocking)
    } finally {
      fs.closeSync(looked)
    }
  }

  function refuseAnother(path: string, fd: number, identity: Identity | null): void {
    if (identity === null) return
    const { dev, ino } = fs.fstatSync(fd, { bigint: true })
    if (dev !== identity.device || ino !== identity.inode) throw Object.assign(new Error(path), { code: 'ESTALE' })
  }

  function readBlock(one: Reading): number {
    const { at, task } = one
    const count = fs.readSync(one.fd, block, 0, Math.min(block.length, task.to - at), at)
    sumRanges(one, at + count)
    one.hash?.update(block.subarray(0, count))
    one.at = at + count
    Atomics.add(counters, 1, count)
    return count
  }

  function sumRanges(one: Reading, end: number): void {
    const { ranges } = one.task
    for (let range = ranges[one.next]; range !== undefined && range.position < end; range = ranges[one.next]) {
      const rangeEnd = range.position + range.length
      const from = Math.max(range.position, one.at) - one.at
      const to = Math.min(rangeEnd, end) - one.at
      one.crcs[one.next] = crc32(to - from === block.length ? block : block.subarray(from, to), one.crcs[one.next] ?? 0)
      if (rangeEnd > end) break
      one.next += 1
    }
  }

  function end(one: Reading, answer: SweepAnswer): void {
    const { index, fd } = one
    one.fd = -1
    reading = undefined
    answers.set(index, answer)
    if (fd !== -1) fs.closeSync(fd)
  }

  function isStopped(): boolean {
    return Atomics.load(counters, 2) !== 0
  }

  return { step, answers }
}
