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
/** Bytes after which this thread lets others have their turn: some ten milliseconds. */
const breath = 32 << 20
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

async function runTasks(
  tasks: readonly SweepTask[],
  { onBytes, signal }: SweepOptions,
): Promise<Map<number, SweepAnswer>> {
  const bytes = tasks.reduce((sum, task) => sum + task.to - task.from, 0)
  const counters = makeCounters()
  let told = 0
  const tell = (): void => {
    const count = Number(Atomics.load(counters, bytesRead))
    onBytes?.(count - told)
    told = count
  }
  const stop = (): void => void Atomics.store(counters, stopFlag, 1n)
  signal?.addEventListener('abort', stop)
  const timer = setInterval(tell, interval)
  const answers = new Map<number, SweepAnswer>()
  const collect = (found: ReadonlyMap<number, SweepAnswer>): void => {
    for (const [index, answer] of found) answers.set(index, answer)
  }
  try {
    stopIfAsked(signal)
    // This thread works too: it has begun before the others are there.
    const helpers = Math.min(availableParallelism(), mostThreads, tasks.length) - 1
    const threads = bytes < fewestForThreads || !hasFastCrc32() ? [] : Array.from({ length: helpers })
    const helped = threads.map(() => runThread(tasks, counters, collect))
    collect(await runHere(tasks, counters))
    await Promise.all(helped)
    stopIfAsked(signal)
    // What a thread took and did not live to answer.
    for (const [index, task] of tasks.entries()) {
      if (!answers.has(index))
        for (const answer of (await runHere([task], makeCounters())).values()) answers.set(index, answer)
    }
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
  tell()
  return answers
}

/** Places in the counters that threads share. */
const bytesRead = 1
const stopFlag = 2

function makeCounters(): BigInt64Array {
  return new BigInt64Array(new SharedArrayBuffer(3 * BigInt64Array.BYTES_PER_ELEMENT))
}

/** In this thread, letting signals and progress through now and then. */
async function runHere(
  tasks: readonly SweepTask[],
  counters: BigInt64Array,
): Promise<ReadonlyMap<number, SweepAnswer>> {
  const loop = sweepLoop(tasks, counters, { fs, start: startWith(crc32, createHash) })
  for (let sinceBreath = 0; ;) {
    const step = loop.next()
    if (step.done === true) return step.value
    sinceBreath += step.value
    if (sinceBreath < breath) continue
    sinceBreath = 0
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Resolves when the thread has ended, also when it failed: what it did not answer is then still to be done. */
function runThread(
  tasks: readonly SweepTask[],
  counters: BigInt64Array,
  collect: (found: ReadonlyMap<number, SweepAnswer>) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const worker = new Worker(threadText(), {
      eval: true,
      workerData: { tasks, counters },
      // The program's own flags (--require …) are not for this thread.
      execArgv: [],
      env: {},
    })
    worker.on('message', collect)
    worker.on('error', () => undefined)
    worker.on('exit', () => resolve())
  })
}

/** As text, so that it runs wherever this file was built or bundled to. */
function threadText(): string {
  return `const { workerData, parentPort } = require('node:worker_threads')
const start = (${startWith.toString()})(require('node:zlib').crc32, require('node:crypto').createHash)
const { tasks, counters } = workerData
const loop = (${sweepLoop.toString()})(tasks, counters, { fs: require('node:fs'), start })
let step
do step = loop.next()
while (!step.done)
parentPort.postMessage(step.value)`
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
