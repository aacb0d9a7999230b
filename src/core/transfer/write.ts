/** Carries a plan out: streams bytes into a new file that appears under its name whole, or not at all. */
import { CkptError, FormatError, StorageError } from '../errors.js'
import { bitsOf } from '../formats/safetensors.js'
import type { Storage, WriteHandle } from '../storage/storage.js'
import { createCast } from '../tensors/cast.js'
import { chunksOf } from '../tensors/tensor.js'
import { ensureTransferable } from './match.js'
import type { TransferPlan } from './match.js'
import { ensurePlaceable, place, temporaryPath } from './place.js'
import { planSteps } from './steps.js'
import type { CastStep, CopyStep, Step, StreamStep } from './steps.js'

export interface TransferOptions {
  /** Replaces what is at the output. */
  readonly force?: boolean
  /** Bytes written so far, of those that the output will have. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  /** Stops the transfer cleanly: nothing stays behind, and the error is `interrupted`. */
  readonly signal?: AbortSignal
}

/** Bytes copied between two looks at the signal. */
const copyStride = 1 << 25
/** Bytes after which signals get a turn. */
const breath = 1 << 25
/** Elements per cast. */
const castStride = 1 << 17

/**
 * Writes the target with the source's matched values to `output`, an absolute path: the target's header stays as it
 * is, to the byte, and so do metadata, order and dtypes. Memory does not grow with the files. The files of the plan
 * must be open, and stay open; `output` may be one of them with `force`.
 *
 * Throws CkptError `refused` (see `ensureTransferable`; or something is at `output` and `force` is not given),
 * `damaged` (a file changed while it was read), `interrupted`, and StorageError. After an error nothing is at
 * `output` that was not there before.
 */
export async function transfer(
  storage: Storage,
  plan: TransferPlan,
  output: string,
  options: TransferOptions = {},
): Promise<{ readonly bytes: number }> {
  ensureTransferable(plan)
  const force = options.force ?? false
  await ensurePlaceable(storage, output, force)
  const temporary = temporaryPath(output)
  const handle = await storage.create(temporary).catch((error: unknown) => {
    throw sayOf(output, temporary, error)
  })
  try {
    await fill(handle, plan, options)
    await place(storage, temporary, output, force)
  } catch (error) {
    await storage.unlink(temporary).catch(() => undefined)
    throw sayOf(output, temporary, error)
  }
  return { bytes: outputLength(plan) }
}

/** Bytes: the header and all tensors. */
function outputLength({ target }: TransferPlan): number {
  return target.tensors.reduce((sum, { bytes }) => sum + bytes, target.head().length)
}

/** People know the output's name; the temporary one is gone when they read the message. */
function sayOf(output: string, temporary: string, error: unknown): unknown {
  if (!(error instanceof StorageError) || error.path !== temporary) return error
  return new StorageError(output, error.errno, error.message.replaceAll(temporary, output), {
    cause: error,
    hint: 'Nothing was left there.',
  })
}

/** Writes, syncs and closes. */
async function fill(handle: WriteHandle, plan: TransferPlan, options: TransferOptions): Promise<void> {
  try {
    await writeSteps(handle, plan, new Pace(outputLength(plan), options))
    await handle.sync()
    await ensureUnchanged(plan)
    ensureGoing(options.signal)
  } catch (error) {
    await handle.close().catch(() => undefined)
    // A read that failed because the file was cut off meanwhile: that is what to tell.
    if (error instanceof StorageError && error.path !== handle.path) await ensureUnchanged(plan)
    throw error
  }
  await handle.close()
}

async function ensureUnchanged({ source, target }: TransferPlan): Promise<void> {
  await source.ensureUnchanged()
  await target.ensureUnchanged()
}

async function writeSteps(handle: WriteHandle, plan: TransferPlan, pace: Pace): Promise<void> {
  await pace.advance(0)
  for (const step of await planSteps(plan)) await writeStep(handle, step, pace)
}

async function writeStep(handle: WriteHandle, step: Step, pace: Pace): Promise<void> {
  if (step.kind === 'copy') await copy(handle, step, pace)
  else if (step.kind === 'stream') await pass(handle, step, pace)
  else await cast(handle, step, pace)
}

async function copy(handle: WriteHandle, { extent }: CopyStep, pace: Pace): Promise<void> {
  for (let done = 0; done < extent.length;) {
    const length = Math.min(copyStride, extent.length - done)
    await handle.copyFrom(extent.handle, extent.position + done, length)
    done += length
    await pace.advance(length)
  }
}

async function pass(handle: WriteHandle, { data }: StreamStep, pace: Pace): Promise<void> {
  let done = 0
  for await (const chunk of chunksOf(data)) {
    await handle.write(chunk)
    done += chunk.length
    await pace.advance(chunk.length)
  }
  requireAll(done, data.length)
}

/** A stream that gave too little would shift all that comes behind it. */
function requireAll(done: number, length: number): void {
  if (done !== length) throw new FormatError(`a tensor gave ${done} of its ${length} bytes`)
}

async function cast(handle: WriteHandle, { data, from, to }: CastStep, pace: Pace): Promise<void> {
  const bytesEach = bitsOf[from] / 8
  const stride = Math.min(castStride, data.length / bytesEach)
  const convert = createCast(from, to, stride)
  let done = 0
  for await (const chunk of chunksOf(data, stride * bytesEach)) {
    done += chunk.length
    // A stream can give more at once than it was asked for.
    for (let at = 0; at < chunk.length; at += stride * bytesEach) {
      const values = convert(chunk.subarray(at, at + stride * bytesEach))
      await handle.write(values)
      await pace.advance(values.length)
    }
  }
  requireAll(done, data.length)
}

/** Tells how far the work is, stops it when asked to, and lets signals through: reads and writes here never wait. */
class Pace {
  private done = 0
  private sinceBreath = 0

  constructor(
    private readonly total: number,
    private readonly options: TransferOptions,
  ) {}

  async advance(bytes: number): Promise<void> {
    this.done += bytes
    this.sinceBreath += bytes
    this.options.onProgress?.(this.done, this.total)
    if (this.sinceBreath >= breath) {
      this.sinceBreath = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
    ensureGoing(this.options.signal)
  }
}

function ensureGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CkptError('interrupted', 'the transfer was interrupted; nothing was written')
}
