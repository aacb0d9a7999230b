/** Reading whole files as fast as the machine can, and summing parts of them. */
import { CkptError, type StorageError } from '../errors.js'
import type { Result, Sweep, SweepOptions, SweepSums } from './storage.js'
import { SweepBatch } from './sweep-batch.js'
import { startThreads } from './sweep-threads.js'

/** Bytes that are worth handing to the threads while more files are being found. */
const batchSize = 64 << 20
/** Milliseconds between two looks at how far the threads are. */
const interval = 50

/** As `ReadStorage.sweep`; `describe` turns a path and the system's code into the error. */
export async function sweepFiles(
  files: AsyncIterable<Sweep>,
  { expected = 0, onBytes, signal }: SweepOptions,
  describe: (path: string, errno: string) => StorageError,
): Promise<Result<SweepSums>[]> {
  const threads = startThreads(expected)
  const batches: SweepBatch[] = []
  let bytes = 0
  const hand = (found: readonly Sweep[]): void => {
    const batch = new SweepBatch(found)
    batches.push(batch)
    for (const thread of threads) batch.share(thread)
    bytes += batch.size
    for (const thread of startThreads(bytes, threads.length)) {
      threads.push(thread)
      for (const one of batches) one.share(thread)
    }
  }
  const tell = (): void => onBytes?.(batches.reduce((sum, batch) => sum + batch.takeCount(), 0))
  const stop = (): void => batches.forEach((batch) => batch.stop())
  const timer = setInterval(tell, interval)
  signal?.addEventListener('abort', stop)
  try {
    await inBatches(files, hand)
    for (const batch of batches) {
      stopIfAsked(signal)
      await batch.work()
    }
    for (const batch of batches) await batch.helped()
    stopIfAsked(signal)
    for (const batch of batches) await batch.workOnLost()
    tell()
    return batches.flatMap((batch) => batch.join(describe))
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
    for (const thread of threads) thread.dismiss()
  }
}

async function inBatches(files: AsyncIterable<Sweep>, hand: (found: readonly Sweep[]) => void): Promise<void> {
  let found: Sweep[] = []
  let bytes = 0
  for await (const file of files) {
    found.push(file)
    bytes += file.size
    if (bytes < batchSize) continue
    hand(found)
    found = []
    bytes = 0
  }
  hand(found)
}

function stopIfAsked(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CkptError('interrupted', 'interrupted while reading')
}
