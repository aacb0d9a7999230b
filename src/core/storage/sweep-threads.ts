/** Threads that help to read files. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { fastCrc32, type FastCrc32 } from '../crc32.js'
import { makeSweepSteps, type SweepAnswer, type SweepTask } from './sweep-loop.js'
import { taskSize } from './sweep-parts.js'

/** Below so many bytes, threads take longer to start than they save. */
const fewestForThreads = 32 << 20
const mostThreads = 8

/** What a thread is to do: see sweep-loop.ts. */
export interface SweepWork {
  readonly tasks: readonly SweepTask[]
  readonly counters: Int32Array
}

/** A thread that waits for work, and does one after the other. */
export interface SweepThread {
  /** Resolves also when the thread fails: what it did not answer is then still to be done. */
  readonly run: (work: SweepWork) => Promise<ReadonlyMap<number, SweepAnswer>>
  /** Lets it end, when it has done what it was given. */
  readonly dismiss: () => void
}

/** As many more, where some are there, as help with so many bytes. None where there is no CRC-32 that a thread can load. */
export function startThreads(bytes: number, there = 0): SweepThread[] {
  const most = Math.min(availableParallelism(), mostThreads, Math.ceil(bytes / taskSize)) - 1
  const fast = bytes < fewestForThreads || most <= there ? null : fastCrc32()
  if (fast === null) return []
  return Array.from({ length: most - there }, () => direct(takeEarly() ?? startThread(), fast))
}

let early: Worker | undefined

/**
 * Takes a thread that was started before it was known what there is to read: it takes as long to start as all that is
 * done until then. It runs the text that it gets (`idle`), and keeps the process until it is used or the process exits.
 */
export function lendThread(thread: Worker): void {
  early = thread
}

function takeEarly(): Worker | undefined {
  const taken = early
  early = undefined
  return taken
}

/** bin/run.js starts one like it. */
function startThread(): Worker {
  // The program's own flags (--require …) are not for this thread. It prints nothing; joined to the program's streams,
  // these would be loaded for it.
  const own = { execArgv: [], env: {}, stdout: true, stderr: true }
  return new Worker("require('node:worker_threads').parentPort.once('message', (text) => eval(text))", {
    eval: true,
    ...own,
  })
}

function direct(worker: Worker, { module }: FastCrc32): SweepThread {
  const waiting: ((answers: ReadonlyMap<number, SweepAnswer>) => void)[] = []
  let isOver = false
  worker.on('message', (answers: ReadonlyMap<number, SweepAnswer>) => waiting.shift()?.(answers))
  worker.on('error', () => undefined)
  worker.on('exit', () => {
    isOver = true
    for (const resolve of waiting) resolve(new Map())
  })
  worker.ref()
  worker.postMessage(threadText(module))
  return {
    run: (work) =>
      new Promise((resolve) => {
        if (isOver) resolve(new Map())
        waiting.push(resolve)
        worker.postMessage(work)
      }),
    dismiss: () => worker.postMessage(null),
  }
}

/** As text, so that it runs wherever this file was built or bundled to. */
function threadText(module: string): string {
  return `const { parentPort } = require('node:worker_threads')
const startSha256 = () => require('node:crypto').createHash('sha256')
const tools = { fs: require('node:fs'), crc32: require(${JSON.stringify(module)}).crc32, startSha256 }
parentPort.on('message', (work) => {
  if (work === null) return parentPort.close()
  const { step, answers } = (${makeSweepSteps.toString()})(work.tasks, work.counters, tools)
  while (step() !== -1);
  parentPort.postMessage(answers)
})`
}
