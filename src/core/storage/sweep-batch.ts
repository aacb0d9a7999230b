/** Files that are read together, by this thread and all that help. */
import * as crypto from 'node:crypto'
import * as fs from 'node:fs'
import { crc32, fastCrc32 } from '../crc32.js'
import type { StorageError } from '../errors.js'
import type { Result, Sweep, SweepSums } from './storage.js'
import { makeSweepSteps, type SweepAnswer, type SweepTask } from './sweep-loop.js'
import { joinAnswers, splitFile } from './sweep-parts.js'
import type { SweepThread } from './sweep-threads.js'

/** Bytes after which this thread lets others have their turn: some ten milliseconds. */
const breath = 32 << 20

/** Places in the counters (sweep-loop.ts). */
const bytesRead = 1
const stopFlag = 2

export class SweepBatch {
  /** Bytes. */
  readonly size: number
  private readonly parts: readonly (readonly SweepTask[])[]
  private readonly tasks: readonly SweepTask[]
  private readonly counters = makeCounters()
  private readonly answers = new Map<number, SweepAnswer>()
  private readonly help: Promise<void>[] = []
  private told = 0

  constructor(private readonly files: readonly Sweep[]) {
    this.size = files.reduce((sum, { size }) => sum + size, 0)
    this.parts = files.map(splitFile)
    this.tasks = this.parts.flat()
  }

  /** Lets the thread take tasks too, from now on. */
  share(thread: SweepThread): void {
    const { tasks, counters } = this
    this.help.push(thread.run({ tasks, counters }).then((answers) => this.collect(answers)))
  }

  /** Takes tasks in this thread, until none is left. */
  async work(): Promise<void> {
    this.collect(await runHere(this.tasks, this.counters))
  }

  /** Until all that help have done what they took. */
  async helped(): Promise<void> {
    await Promise.all(this.help)
  }

  /** What a thread took and did not live to answer. */
  async workOnLost(): Promise<void> {
    for (const [index, task] of this.tasks.entries()) {
      if (this.answers.has(index)) continue
      for (const answer of (await runHere([task], makeCounters())).values()) this.answers.set(index, answer)
    }
  }

  stop(): void {
    Atomics.store(this.counters, stopFlag, 1)
  }

  /** How many bytes were read since the last call: at most 2^32, which no two calls are apart. */
  takeCount(): number {
    const before = this.told
    this.told = Atomics.load(this.counters, bytesRead)
    return (this.told - before) >>> 0
  }

  /** Of each file, when all is done. */
  join(describe: (path: string, errno: string) => StorageError): Result<SweepSums>[] {
    let next = 0
    return this.files.map((file, index) => {
      const own = this.parts[index] ?? []
      const answers = own.map(() => this.answers.get(next++))
      return joinAnswers(file, own, answers, describe)
    })
  }

  private collect(found: ReadonlyMap<number, SweepAnswer>): void {
    for (const [index, answer] of found) this.answers.set(index, answer)
  }
}

function makeCounters(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT))
}

/** In this thread, letting signals and progress through now and then. */
async function runHere(tasks: readonly SweepTask[], counters: Int32Array): Promise<ReadonlyMap<number, SweepAnswer>> {
  const tools = { fs, crc32: fastCrc32()?.crc32 ?? crc32, startSha256: () => crypto.createHash('sha256') }
  const { step, answers } = makeSweepSteps(tasks, counters, tools)
  for (let sinceBreath = 0; ;) {
    const count = step()
    if (count === -1) return answers
    sinceBreath += count
    if (sinceBreath < breath) continue
    sinceBreath = 0
    await new Promise((resolve) => setImmediate(resolve))
  }
}
