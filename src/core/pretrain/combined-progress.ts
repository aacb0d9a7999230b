/** How far several files are, as one work. */
import type { LongWork } from '../tensors/write/index.js'

export class Tally<T> {
  private readonly done = new Map<T, number>()
  private readonly sizes: Map<T, number>

  /** Bytes of each, as far as they are known. */
  constructor(
    sizes: Iterable<readonly [T, number]>,
    private readonly work: LongWork,
  ) {
    this.sizes = new Map(sizes)
  }

  /** The work on one of them. */
  of(one: T): LongWork {
    const { signal } = this.work
    return {
      ...(signal === undefined ? {} : { signal }),
      onProgress: (done, total) => {
        this.done.set(one, done)
        this.sizes.set(one, total)
        this.work.onProgress?.(sum(this.done), sum(this.sizes))
      },
    }
  }
}

function sum(numbers: ReadonlyMap<unknown, number>): number {
  return [...numbers.values()].reduce((total, one) => total + one, 0)
}
