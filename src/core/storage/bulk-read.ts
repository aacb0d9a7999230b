/** Reading whole files as fast as the machine can, and summing parts of them. */
import * as crypto from 'node:crypto'
import * as fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { combineCrc32, crc32, fastCrc32, type FastCrc32 } from '../formats/bytes/crc32.js'
import { CkptError, StorageError } from '../errors.js'
import { bytesBetweenYields, yieldToEvents } from './yield-to-events.js'
import type { Identity, Range, Result, Sweep, SweepOptions, SweepSums } from './storage.js'
import { makeSweepSteps, type SweepAnswer, type SweepTask } from './bulk-read-loop.js'

/** Bytes of a file that one thread reads in one go. */
const taskSize = 16 << 20
/** Below this many bytes, threads take longer to start than they save. */
const fewestForThreads = 32 << 20
const mostThreads = 8
/** Milliseconds between two looks at how far the threads are. */
const interval = 50

/**
 * As `ReadStorage.sweep`; `describe` turns a path and the system's code into the error, and `judge` is asked of each file
 * before threads open it: which file they may read under its name, null where any.
 */
export async function readInBulk(
  find: () => Promise<readonly Sweep[]>,
  options: SweepOptions,
  describe: (path: string, errno: string) => StorageError,
  judge: (path: string) => Result<Identity | null>,
): Promise<Result<SweepSums>[]> {
  let threads = startThreads(options.expected ?? 0)
  try {
    const files = await find()
    const judged = files.map(({ path }) => judge(path))
    const tasks = files.map((file, index) => splitJudged(file, judged[index]))
    if (threads.length === 0) threads = startThreads(files.reduce((sum, { size }) => sum + size, 0))
    const answers = await runTasks(tasks.flat(), threads, options)
    let next = 0
    return files.map((file, index) => {
      const own = tasks[index] ?? []
      const judgement = judged[index]
      if (judgement?.ok === false) return judgement
      return joinAnswers(
        file,
        own,
        own.map(() => answers.get(next++)),
        describe,
      )
    })
  } finally {
    for (const thread of threads) thread.dismiss()
  }
}

function splitJudged(file: Sweep, judged: Result<Identity | null> | undefined): SweepTask[] {
  return judged?.ok === true ? splitFile(file, judged.value) : []
}

/** Parts of one size, so that one large file occupies all threads. A SHA-256 can only be computed from end to end. */
function splitFile({ path, size, ranges, sha256 }: Sweep, identity: Identity | null): SweepTask[] {
  const length = sha256 ? Math.max(size, 1) : taskSize
  const pieces = Array.from({ length: Math.max(1, Math.ceil(size / length)) }, (): Range[] => [])
  for (const piece of ranges.flatMap((range) => cut(range, length))) {
    pieces[Math.floor(piece.position / length)]?.push(piece)
  }
  return pieces.map((own, index) => {
    const from = index * length
    return { path, from, to: Math.min(from + length, size), ranges: own, sha256, identity }
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
  threads: readonly Thread[],
  { onBytes, signal }: SweepOptions,
): Promise<Map<number, SweepAnswer>> {
  const counters = makeCounters()
  let reported = 0
  const report = (): void => {
    const count = Atomics.load(counters, bytesRead)
    // It starts anew at 2^32, which no two looks are apart.
    onBytes?.((count - reported) >>> 0)
    reported = count
  }
  const stop = (): void => void Atomics.store(counters, stopFlag, 1)
  signal?.addEventListener('abort', stop)
  const timer = setInterval(report, interval)
  const answers = new Map<number, SweepAnswer>()
  const collect = (found: ReadonlyMap<number, SweepAnswer>): void => {
    for (const [index, answer] of found) answers.set(index, answer)
  }
  try {
    stopIfAsked(signal)
    const helped = threads.map((thread) => thread.run(tasks, counters))
    // This thread works too.
    collect(await runHere(tasks, counters))
    for (const found of await Promise.all(helped)) collect(found)
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
  report()
  return answers
}

/** Places in the counters that threads share. */
const bytesRead = 1
const stopFlag = 2

function makeCounters(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT))
}

/** In this thread, letting signals and progress through now and then. */
async function runHere(tasks: readonly SweepTask[], counters: Int32Array): Promise<ReadonlyMap<number, SweepAnswer>> {
  const tools = { fs, crc32: fastCrc32()?.crc32 ?? crc32, startSha256: () => crypto.createHash('sha256') }
  const { step, answers } = makeSweepSteps(tasks, counters, tools)
  for (let sinceYield = 0; ;) {
    const count = step()
    if (count === -1) return answers
    sinceYield += count
    if (sinceYield < bytesBetweenYields) continue
    sinceYield = 0
    await yieldToEvents()
  }
}

/** A thread that waits for tasks. */
interface Thread {
  /** Resolves when it has ended, also when it failed: what it did not answer is then still to be done. */
  readonly run: (tasks: readonly SweepTask[], counters: Int32Array) => Promise<ReadonlyMap<number, SweepAnswer>>
  /** Lets it end, if it still waits. */
  readonly dismiss: () => void
}

let early: Thread | undefined

/**
 * Starts one thread before it is known what there is to read: it takes as long to start as all that is done until then.
 * It waits, and keeps the process, until it is used or the process exits.
 */
export function startEarly(): void {
  const file = workerFile()
  const fast = availableParallelism() > 1 ? fastCrc32() : null
  if (fast !== null && file !== null) early ??= startThread(fast, file)
}

function takeEarly(): Thread | undefined {
  const taken = early
  early = undefined
  return taken
}

/** As many as help with that count of bytes. None where there is no CRC-32 that a thread can load. */
function startThreads(bytes: number): Thread[] {
  const fast = bytes < fewestForThreads ? null : fastCrc32()
  const file = fast === null ? null : workerFile()
  if (fast === null || file === null) return []
  const count = Math.min(availableParallelism(), mostThreads, Math.ceil(bytes / taskSize)) - 1
  return Array.from({ length: count }, () => takeEarly() ?? startThread(fast, file))
}

function startThread({ module }: FastCrc32, file: string): Thread {
  // The program's own flags (--require …) are not for this thread. It prints nothing; joined to the program's streams,
  // these would be loaded for it.
  const own = { execArgv: [], env: {}, stdout: true, stderr: true }
  const worker = new Worker(file, { workerData: module, ...own })
  const answered = new Promise<ReadonlyMap<number, SweepAnswer>>((resolve) => {
    worker.on('message', resolve)
    worker.on('error', () => undefined)
    worker.on('exit', () => resolve(new Map()))
  })
  return {
    run: (tasks, counters) => {
      worker.postMessage({ tasks, counters })
      return answered
    },
    dismiss: () => worker.postMessage(null),
  }
}

/** What a thread starts from: beside the program's bundle (scripts/bundle.mjs), or beside this file as tsc leaves it. */
const workerNames = ['bulk-read-worker.cjs', 'bulk-read-worker.js']

/** Null where this file runs as TypeScript, which no thread of Node 20 can: then all is read in one thread. */
function workerFile(): string | null {
  const paths = workerNames.map((name) => fileURLToPath(new URL(name, import.meta.url)))
  return paths.find((path) => fs.existsSync(path)) ?? null
}

function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
}
