/** The loop that reads files through, as it runs in each thread. */
import type * as Fs from 'node:fs'
import type { Checksum, Range } from './storage.js'

/** A part of one file for one thread. Ranges do not reach beyond it. */
export interface SweepTask {
  readonly path: string
  readonly from: number
  readonly to: number
  readonly checksum: Checksum
  readonly ranges: readonly Range[]
}

/** Checksums, or what failed: a code of the system, or the byte at which the file ended. */
export type SweepAnswer =
  { readonly sums: readonly string[] } | { readonly errno: string } | { readonly endedAt: number }

/** A checksum that grows. */
export interface Adder {
  add(bytes: Uint8Array): void
  end(): string
}

/** What the loop takes from its thread. */
export interface SweepTools {
  readonly fs: Pick<typeof Fs, 'openSync' | 'readSync' | 'closeSync'>
  readonly start: (checksum: Checksum) => Adder
}

/**
 * Takes tasks until none is left or the flag is set; gives the answers by the task's place, and the count of bytes
 * after each block read. `counters` are shared by all threads: tasks taken, bytes read, the flag that stops. Its text is
 * also started in threads (see sweep.ts), so it may use nothing but its arguments and the language.
 */
export function* sweepLoop(
  tasks: readonly SweepTask[],
  counters: BigInt64Array,
  { fs, start }: SweepTools,
): Generator<number, Map<number, SweepAnswer>> {
  // Larger blocks leave the processor's cache between the copy and the sum: 128 KiB were measured to be the fastest.
  const block = new Uint8Array(131072)
  const answers = new Map<number, SweepAnswer>()
  for (;;) {
    const index = Number(Atomics.add(counters, 0, 1n))
    const task = tasks[index]
    if (task === undefined || Atomics.load(counters, 2) !== 0n) break
    let fd = -1
    let at = task.from
    const sums: string[] = []
    try {
      fd = fs.openSync(task.path, 'r')
      // The stretches between ranges are read too, and not summed.
      for (let next = 0; at < task.to || next < task.ranges.length;) {
        const range = task.ranges[next]
        if ((range?.position ?? at) < at) throw new RangeError('ranges overlap')
        const inside = range?.position === at
        const end = range === undefined ? task.to : inside ? at + range.length : range.position
        const sum = inside ? start(task.checksum) : undefined
        while (at < end && Atomics.load(counters, 2) === 0n) {
          const count = fs.readSync(fd, block, 0, Math.min(block.length, end - at), at)
          if (count === 0) break
          at += count
          sum?.add(count === block.length ? block : block.subarray(0, count))
          Atomics.add(counters, 1, BigInt(count))
          yield count
        }
        if (at < end) break
        if (sum !== undefined) {
          sums.push(sum.end())
          next += 1
        }
      }
      answers.set(index, at < task.to ? { endedAt: at } : { sums })
    } catch (error) {
      answers.set(index, { errno: String((error as { code?: unknown }).code ?? error) })
    } finally {
      if (fd !== -1) fs.closeSync(fd)
    }
  }
  return answers
}
