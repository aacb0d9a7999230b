/** Reading whole files as fast as the machine can, and summing parts of them. */
import * as crypto from 'node:crypto'
import * as fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { combineCrc32, crc32, fastCrc32, type FastCrc32 } from '../crc32.js'
import { CkptError, StorageError } from '../errors.js'
import type { Range, Result, Sweep, SweepOptions, SweepSums } from './storage.js'
import { sweepLoop, type SweepAnswer, type SweepTask } from './sweep-loop.js'

/** Bytes of a file that one thread reads in one go. */
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
): Promise<Result<SweepSums>[]> {
  const tasks = files.map(splitFile)
  const answers = await runTasks(tasks.flat(), options)
  let next = 0
  return files.map((file, index) => {
    const own = tasks[index] ?? []
    return joinAnswers(
      file,
      own,
      own.map(() => answers.get(next++)),
      describe,
    )
  })
}

/** Parts of one size, so that one large file occupies all threads. A SHA-256 can only be computed from end to end. */
function splitFile({ path, size, ranges, sha256 }: Sweep): SweepTask[] {
  const length = sha256 ? Math.max(size, 1) : taskSize
  const pieces = Array.from({ length: Math.max(1, Math.ceil(size / length)) }, (): Range[] => [])
  for (const piece of ranges.flatMap((range) => cut(range, length))) {
    pieces[Math.floor(piece.position / length)]?.push(piece)
  }
  return pieces.map((own, index) => {
    const from = index * length
    return { path, from, to: Math.min(from + length, size), ranges: own, sha256 }
  })
}

/** At the multiples of `length`; nothing of an empty range. */
function cut(range: Range, length: number): Range[] {
  const pieces: Range[] = []
  const end = range.position + range.length
  for (let position = range.position; position < end;) {
    const next = Math.min(end, (Math.floor(position / length) + 1) * length)
    pieces.push({ position, length: next - position })
    position = next
  }
  return pieces
}

function joinAnswers(
  { path, size, ranges }: Sweep,
  tasks: readonly SweepTask[],
  answers: readonly (SweepAnswer | undefined)[],
  describe: (path: string, errno: string) => StorageError,
): Result<SweepSums> {
  const pieces: { readonly range: Range; readonly crc: number }[] = []
  let sha256: string | null = null
  for (const [index, answer] of answers.entries()) {
    if (answer === undefined) return { ok: false, error: describe(path, 'EIO') }
    if ('errno' in answer) return { ok: false, error: describe(path, answer.errno) }
    if ('endedAt' in answer) {
      const message = `${path}: ends at byte ${answer.endedAt} while ${size} were expected; did it change?`
      return { ok: false, error: new StorageError(path, 'EIO', message) }
    }
    tasks[index]?.ranges.forEach((range, at) => pieces.push({ range, crc: answer.crcs[at] ?? 0 }))
    sha256 = answer.sha256
  }
  return { ok: true, value: { crcs: joinPieces(ranges, pieces), sha256 } }
}

/** Pieces come in the order of the ranges that they were cut from. */
function joinPieces(ranges: readonly Range[], pieces: readonly { range: Range; crc: number }[]): number[] {
  let next = 0
  return ranges.map(({ position, length }) => {
    let crc = 0
    for (let piece = pieces[next]; piece !== undefined; piece = pieces[next]) {
      if (piece.range.position >= position + length) break
      crc = combineCrc32(crc, piece.crc, piece.range.length)
      next += 1
    }
    return crc
  })
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
    const fast = bytes < fewestForThreads ? null : fastCrc32()
    const threads = fast === null ? [] : Array.from({ length: helpers }, () => fast)
    const helped = threads.map((one) => runThread(one, tasks, counters, collect))
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
  const loop = sweepLoop(tasks, counters, { fs, crc32, startSha256: () => crypto.createHash('sha256') })
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
  { module }: FastCrc32,
  tasks: readonly SweepTask[],
  counters: BigInt64Array,
  collect: (found: ReadonlyMap<number, SweepAnswer>) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const worker = new Worker(threadText(), {
      eval: true,
      workerData: { tasks, counters, module },
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
const { tasks, counters, module: fast } = workerData
const startSha256 = () => require('node:crypto').createHash('sha256')
const tools = { fs: require('node:fs'), crc32: require(fast).crc32, startSha256 }
const loop = (${sweepLoop.toString()})(tasks, counters, tools)
let step
do step = loop.next()
while (!step.done)
parentPort.postMessage(step.value)`
}

function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
}
