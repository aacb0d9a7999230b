/** Long work that reports its progress and stops when it is asked to. */
import { CkptError } from '../../errors.js'
import { bytesBetweenYields } from '../../storage/yield-to-events.js'

export interface LongWork {
  /** Bytes done so far, of those that there are: Infinity where nobody knows. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  /** Stops the work cleanly: nothing stays behind, and the error is `interrupted`. */
  readonly signal?: AbortSignal
}

/** Tells how far the work is, stops it when asked to, and lets signals through: reads and writes here never wait. */
export class Pace {
  private done = 0
  private sinceYield = 0

  constructor(
    private readonly total: number,
    private readonly work: LongWork,
  ) {}

  async advance(bytes: number): Promise<void> {
    this.done += bytes
    this.sinceYield += bytes
    this.work.onProgress?.(this.done, this.total)
    if (this.sinceYield >= bytesBetweenYields) {
      this.sinceYield = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.ensureGoing()
  }

  ensureGoing(): void {
    if (this.work.signal?.aborted === true) {
      throw new CkptError('interrupted', 'it was interrupted; nothing was written')
    }
  }
}
