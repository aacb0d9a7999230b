/** The loop that reads files through, as it runs in each thread. */
import type { Hash } from 'node:crypto'
import type * as Fs from 'node:fs'
import type { Crc32 } from '../crc32.js'
import type { Range, SweepSums } from './storage.js'

/** A part of one file for one thread: all of it where its SHA-256 is wanted. */
export interface SweepTask {
  readonly path: string
  readonly from: number
  readonly to: number
  /** Within the part; none is empty. */
  readonly ranges: readonly Range[]
  readonly sha256: boolean
}

/** Checksums, or what failed: a code of the system, or the byte at which the file ended. */
export type SweepAnswer = SweepSums | { readonly errno: string } | { readonly endedAt: number }

/** What the loop takes from its thread. */
export interface SweepTools {
  readonly fs: Pick<typeof Fs, 'openSync' | 'readSync' | 'closeSync'>
  readonly crc32: Crc32
  readonly startSha256: () => Hash
}

/**
 * Takes tasks until none is left or the flag is set; gives the answers by the task's place, and the count of bytes
 * after each block read. `counters` are shared by all threads: tasks taken, bytes read, the flag that stops. Its text is
 * also started in threads (see sweep.ts), so it may use nothing but its arguments and the language.
 */
export function* sweepLoop(
  tasks: readonly SweepTask[],
  counters: BigInt64Array,
  { fs, crc32, startSha256 }: SweepTools,
): Generator<number, Map<number, SweepAnswer>> {
  // Small enough to stay in the processor's cache between the copy and the sum.
  const block = new Uint8Array(262144)
  const answers = new Map<number, SweepAnswer>()
  for (;;) {
    const index = Number(Atomics.add(counters, 0, 1n))
    const task = tasks[index]
    if (task === undefined || Atomics.load(counters, 2) !== 0n) break
    let fd = -1
    let at = task.from
    const crcs = task.ranges.map(() => 0)
    const hash = task.sha256 ? startSha256() : undefined
    try {
      fd = fs.openSync(task.path, 'r')
      for (let next = 0; at < task.to && Atomics.load(counters, 2) === 0n;) {
        const count = fs.readSync(fd, block, 0, Math.min(block.length, task.to - at), at)
        if (count === 0) break
        const end = at + count
        for (let range = task.ranges[next]; range !== undefined && range.position < end; range = task.ranges[next]) {
          const rangeEnd = range.position + range.length
          const part = block.subarray(Math.max(range.position, at) - at, Math.min(rangeEnd, end) - at)
          crcs[next] = crc32(part, crcs[next] ?? 0)
          if (rangeEnd > end) break
          next += 1
        }
        hash?.update(block.subarray(0, count))
        at = end
        Atomics.add(counters, 1, BigInt(count))
        yield count
      }
      answers.set(index, at < task.to ? { endedAt: at } : { crcs, sha256: hash?.digest('hex') ?? null })
    } catch (error) {
      answers.set(index, { errno: String((error as { code?: unknown }).code ?? error) })
    } finally {
      if (fd !== -1) fs.closeSync(fd)
    }
  }
  return answers
}
