/**
 * A thread that reads files to their end: it takes one message, the work or null, and posts its answers. The build makes
 * it a file of its own beside the program's bundle, for a thread is started from a file.
 */
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { Crc32 } from '../formats/bytes/crc32.js'
import { makeSweepSteps, type SweepTask } from './bulk-read-loop.js'

/** What a thread is given to do; `counters` as `makeSweepSteps` has them. */
export interface ThreadWork {
  readonly tasks: readonly SweepTask[]
  readonly counters: Int32Array
}

const { crc32 } = createRequire(import.meta.url)(workerData as string) as { readonly crc32: Crc32 }

parentPort?.once('message', (work: ThreadWork | null) => {
  if (work === null) return
  const tools = { fs, crc32, startSha256: () => createHash('sha256') }
  const { step, answers } = makeSweepSteps(work.tasks, work.counters, tools)
  while (step() !== -1);
  parentPort?.postMessage(answers)
})
