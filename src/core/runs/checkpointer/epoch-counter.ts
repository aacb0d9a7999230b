/** Epochs as SpeechBrain counts and saves them (speechbrain/utils/epoch_loop.py). */
import { CkptError, FormatError } from '../../errors.js'
import { dumpPyYaml, parsePyYaml, type PyValue } from '../../formats/pyyaml/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { registerHooks } from './hooks.js'

/** Bytes; a counter's file holds a number, or four lines. */
const largestFile = 1 << 16

/**
 * Gives 1, 2, … up to the limit; iterated again, or after a recovery, it goes on behind the epoch that it is in.
 * Its file is the number as text, which SpeechBrain's reads, and the other way round.
 */
export class EpochCounter implements IterableIterator<number> {
  /** The epoch that is under way, or was last; 0 before the first. */
  current = 0

  /** Throws CkptError `usage` for a limit that is not a whole number from 0 up. */
  constructor(
    /** The last epoch. */
    readonly limit: number,
  ) {
    requireCount('limit', limit)
  }

  /** The next epoch, which is `current` from then on. */
  next(): IteratorResult<number, undefined> {
    if (this.current >= this.limit) return { done: true, value: undefined }
    this.current += 1
    return { done: false, value: this.current }
  }

  /** Itself: there is one count. */
  [Symbol.iterator](): this {
    return this
  }
}

/** When a training is to stop early. */
export interface StopperOptions {
  /** Stops after this many epochs without improvement. */
  readonly limitToStop: number
  /** The number of epochs at the start that do not count. */
  readonly limitWarmup: number
  /** Which way the metric gets better. */
  readonly direction: 'min' | 'max'
}

/** A better score must be better by this part of the best one. */
const leastGain = 1e-6

/**
 * Stops early: hand it the metric once an epoch. Its file is the number, which is all that SpeechBrain's Checkpointer
 * reads and writes for its own (its class registers no hooks, so those of the plain counter serve). What it knows
 * beside, in SpeechBrain's words, lies in a file next to that, `KEY.stopper.yaml`.
 */
export class EpochCounterWithStopper extends EpochCounter {
  /** True once there was no improvement for too long. */
  shouldStop = false
  /** The epoch with the best score. */
  bestEpoch = 0
  /** The metric at `bestEpoch`; infinity before there is one. */
  bestScore: number

  /** Throws CkptError `usage`. */
  constructor(
    limit: number,
    /** As they were given. */
    readonly options: StopperOptions,
  ) {
    super(limit)
    requireCount('limitToStop', options.limitToStop)
    requireCount('limitWarmup', options.limitWarmup)
    requireDirection(options.direction)
    this.bestScore = worstScore(options.direction)
  }

  /** The next epoch, unless it is time to stop. */
  override next(): IteratorResult<number, undefined> {
    return this.shouldStop ? { done: true, value: undefined } : super.next()
  }

  /** To be called once an epoch, after validation. */
  updateMetric(metric: number): void {
    const { direction, limitToStop, limitWarmup } = this.options
    if (this.current <= limitWarmup) return
    const sign = direction === 'min' ? 1 : -1
    if (sign * metric < sign * ((1 - leastGain) * this.bestScore)) {
      this.bestEpoch = this.current
      this.bestScore = metric
    }
    this.shouldStop = this.current - this.bestEpoch >= limitToStop
  }
}

function requireCount(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return
  throw new CkptError('usage', `an epoch counter's ${name} is a whole number from 0 up, not ${value}`)
}

/** A program in JavaScript may hand over anything. */
function requireDirection(direction: string): void {
  if (direction === 'min' || direction === 'max') return
  throw new CkptError('usage', `a stopper's direction is 'min' or 'max', not ${JSON.stringify(direction)}`)
}

registerHooks(EpochCounter, {
  save: (counter, path, storage) => writeText(storage, path, String(counter.current)),
  load: async (counter, path, endOfEpoch, storage) => {
    counter.current = epochToResume(await readEpoch(storage, path), endOfEpoch)
  },
  transfer: async (counter, path, storage) => {
    counter.current = await readEpoch(storage, path)
  },
})

registerHooks(EpochCounterWithStopper, {
  save: async (counter, path, storage) => {
    await writeText(storage, path, String(counter.current))
    await writeText(storage, besideOf(path), stopperText(counter))
  },
  load: (counter, path, endOfEpoch, storage) => loadStopper(counter, path, endOfEpoch, storage),
  transfer: (counter, path, storage) => loadStopper(counter, path, true, storage),
})

/** An epoch that was left in the middle is begun again. */
function epochToResume(saved: number, endOfEpoch: boolean): number {
  return endOfEpoch ? saved : saved - 1
}

async function readEpoch(storage: ReadStorage, path: string): Promise<number> {
  return epochOf(await readText(storage, path), path)
}

function epochOf(text: string, path: string): number {
  const epoch = /^\s*[-+]?[0-9]+\s*$/.test(text) ? Number(text) : NaN
  if (Number.isSafeInteger(epoch)) return epoch
  throw new FormatError(`${path}: an epoch counter holds a whole number, not ${JSON.stringify(text.slice(0, 40))}`)
}

/** The keys are those of SpeechBrain's file. */
function stopperText({ current, bestEpoch, bestScore, shouldStop }: EpochCounterWithStopper): string {
  const pairs: [string, PyValue][] = [
    ['current_epoch', BigInt(current)],
    ['best_epoch', BigInt(bestEpoch)],
    ['best_score', bestScore],
    ['should_stop', shouldStop],
  ]
  return dumpPyYaml({ kind: 'dict', pairs })
}

function besideOf(path: string): string {
  return `${path.replace(/\.ckpt$/, '')}.stopper.yaml`
}

/**
 * Where SpeechBrain's Checkpointer saved it there is only the number; early stopping then begins anew. A training
 * that registers hooks of its own for SpeechBrain's class has all of it in the one file.
 */
async function loadStopper(
  counter: EpochCounterWithStopper,
  path: string,
  endOfEpoch: boolean,
  storage: ReadStorage,
): Promise<void> {
  const text = await readText(storage, path)
  const saved = text.includes(':') ? await parseStopper(text, path) : await besideNumber(counter, path, text, storage)
  counter.current = epochToResume(saved.current, endOfEpoch)
  counter.bestEpoch = saved.bestEpoch
  counter.bestScore = saved.bestScore
  counter.shouldStop = saved.shouldStop
}

type StopperState = Pick<EpochCounterWithStopper, 'current' | 'bestEpoch' | 'bestScore' | 'shouldStop'>

async function besideNumber(
  { options }: EpochCounterWithStopper,
  path: string,
  text: string,
  storage: ReadStorage,
): Promise<StopperState> {
  const current = epochOf(text, path)
  const beside = besideOf(path)
  const [there] = await storage.lstat([beside])
  if (there?.ok === true) return { ...(await parseStopper(await readText(storage, beside), beside)), current }
  return { current, bestEpoch: 0, bestScore: worstScore(options.direction), shouldStop: false }
}

function worstScore(direction: StopperOptions['direction']): number {
  return direction === 'min' ? Infinity : -Infinity
}

async function parseStopper(text: string, path: string): Promise<StopperState> {
  const value = await parsePyYaml(text)
  const saved = new Map(typeof value === 'object' && value?.kind === 'dict' ? value.pairs : [])
  const number = (key: string): number => {
    const found = saved.get(key)
    if (typeof found === 'number' || typeof found === 'bigint') return Number(found)
    throw new FormatError(`${path}: ${key} is not there, or is not a number`)
  }
  return {
    current: number('current_epoch'),
    bestEpoch: number('best_epoch'),
    bestScore: number('best_score'),
    shouldStop: saved.get('should_stop') === true,
  }
}

async function writeText(storage: Storage, path: string, text: string): Promise<void> {
  const handle = await storage.create(path)
  try {
    await handle.write(new TextEncoder().encode(text))
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readText(storage: ReadStorage, path: string): Promise<string> {
  const [bytes] = await storage.read([path], largestFile)
  if (bytes?.ok === true) return new TextDecoder().decode(bytes.value)
  throw bytes?.error ?? new CkptError('not-found', `${path}: nothing there`)
}
