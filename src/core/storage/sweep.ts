/** Reading whole files as fast as the machine can, and summing parts of them. */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { crc32, hasFastCrc32 } from '../crc32.js'
import { CkptError, StorageError } from '../errors.js'
import type { Checksum, Result, Sweep, SweepOptions } from './storage.js'
import { sweepLoop, type Adder, type SweepAnswer, type SweepTask } from './sweep-loop.js'

/** Bytes of a file that one thread reads in one go; a longer range stays in one piece. */
const taskSize = 64 << 20
/** Below so many bytes, threads take longer to start than they save. */
const fewestForThreads = 32 << 20
const mostThreads = 8
/** Milliseconds between two looks at how far the threads are. */
const interval = 50

/** As `ReadStorage.sweep`; `describe` turns a path and the system's code into the error. */
export async function sweepFiles(
  files: readonly Sweep[],
  options: SweepOptions,
  describe: (path: string, errno: string) => StorageError,
): Promise<Result<readonly string[]>[]> {
  const tasks = files.map(splitFile)
  const flat = tasks.flat()
  const answers = await runTasks(flat, options)
  let first = 0
  return files.map((file, index) => {
    const count = tasks[index]?.length ?? 0
    const parts = Array.from({ length: count }, (_, part) => answers.get(first + part))
    first += count
    return joinAnswers(file, parts, describe)
  })
}

/** Parts that end between ranges, so that a large file does not hold up one thread at the end. */
function splitFile({ path, size, checksum, ranges }: Sweep): SweepTask[] {
  const tasks: SweepTask[] = []
  let from = 0
  let inside: Sweep['ranges'][number][] = []
  for (const range of ranges) {
    inside.push(range)
    const to = range.position + range.length
    if (to - from < taskSize) continue
    tasks.push({ path, from, to, checksum, ranges: inside })
    from = to
    inside = []
  }
  if (from < size || inside.length > 0 || tasks.length === 0) {
    tasks.push({ path, from, to: size, checksum, ranges: inside })
  }
  return tasks
}

function joinAnswers(
  { path, size }: Sweep,
  parts: readonly (SweepAnswer | undefined)[],
  describe: (path: string, errno: string) => StorageError,
): Result<readonly string[]> {
  const sums: string[] = []
  for (const part of parts) {
    if (part === undefined) return { ok: false, error: describe(path, 'EIO') }
    if ('errno' in part) return { ok: false, error: describe(path, part.errno) }
    if ('endedAt' in part) {
      const message = `${path}: ends at byte ${part.endedAt} while ${size} were expected; did it change?`
      return { ok: false, error: new StorageError(path, 'EIO', message) }
    }
    for (const sum of part.sums) sums.push(sum)
  }
  return { ok: true, value: sums }
}

async function runTasks(tasks: readonly SweepTask[], options: SweepOptions): Promise<Map<number, SweepAnswer>> {
  const bytes = tasks.reduce((sum, task) => sum + task.to - task.from, 0)
  const counters = new BigInt64Array(new SharedArrayBuffer(3 * BigInt64Array.BYTES_PER_ELEMENT))
  const answers = new Map<number, SweepAnswer>()
  if (bytes >= fewestForThreads && hasFastCrc32) await runInThreads(tasks, counters, options, answers)
  // Where no thread could be started, or one died, the rest is read here.
  const left = tasks.flatMap((task, index) => (answers.has(index) ? [] : [{ task, index }]))
  const again = new BigInt64Array(3)
  for (let done = 0; done < left.length; done += 1) {
    stopIfAsked(options.signal)
    const before = again[bytesRead] ?? 0n
    const [answer] = sweepLoop(
      left.map(({ task }) => task),
      again,
      { fs, start: startWith(crc32, createHash) },
      1,
    ).values()
    const index = left[done]?.index
    if (answer !== undefined && index !== undefined) answers.set(index, answer)
    options.onBytes?.(Number((again[bytesRead] ?? 0n) - before))
    await new Promise((resolve) => setImmediate(resolve))
  }
  return answers
}

/** Places in the counters that threads share. */
const bytesRead = 1
const stopFlag = 2

async function runInThreads(
  tasks: readonly SweepTask[],
  counters: BigInt64Array,
  { onBytes, signal }: SweepOptions,
  answers: Map<number, SweepAnswer>,
): Promise<void> {
  const threads = Math.min(availableParallelism(), mostThreads, tasks.length)
  let told = 0
  const tell = (): void => {
    const count = Number(Atomics.load(counters, bytesRead))
    onBytes?.(count - told)
    told = count
  }
  const stop = (): void => void Atomics.store(counters, stopFlag, 1n)
  const timer = setInterval(tell, interval)
  signal?.addEventListener('abort', stop)
  try {
    stopIfAsked(signal)
    await Promise.all(Array.from({ length: threads }, () => runThread(tasks, counters, answers)))
    stopIfAsked(signal)
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
  tell()
}

/** Resolves when the thread has ended, also when it failed: what it did not answer is then still to be done. */
function runThread(
  tasks: readonly SweepTask[],
  counters: BigInt64Array,
  answers: Map<number, SweepAnswer>,
): Promise<void> {
  return new Promise((resolve) => {
    const worker = new Worker(threadText(), {
      eval: true,
      workerData: { tasks, counters, most: Infinity },
      // The program's own flags (--require …) are not for this thread.
      execArgv: [],
      env: {},
    })
    worker.on('message', (found: Map<number, SweepAnswer>) => {
      for (const [index, answer] of found) answers.set(index, answer)
    })
    worker.on('error', () => undefined)
    worker.on('exit', () => resolve())
  })
}

/** As text, so that it runs wherever this file was built or bundled to. */
function threadText(): string {
  return `const { workerData, parentPort } = require('node:worker_threads')
const start = (${startWith.toString()})(require('node:zlib').crc32, require('node:crypto').createHash)
const { tasks, counters, most } = workerData
parentPort.postMessage((${sweepLoop.toString()})(tasks, counters, { fs: require('node:fs'), start }, most))`
}

/** Like `sweepLoop`, it uses nothing but its arguments and the language. */
function startWith(crc: typeof crc32, hash: typeof createHash): (checksum: Checksum) => Adder {
  return (checksum) => {
    if (checksum === 'sha256') {
      const state = hash('sha256')
      return { add: (bytes) => void state.update(bytes), end: () => state.digest('hex') }
    }
    let sum = 0
    return { add: (bytes) => void (sum = crc(bytes, sum)), end: () => sum.toString(16).padStart(8, '0') }
  }
}

function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
}
