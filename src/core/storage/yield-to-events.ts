/** Reading is synchronous, for that is fastest: signals and progress come through only where somebody stands aside. */

/** Lets signals and progress through. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Bytes that are read between two breaths: some ten milliseconds. */
export const bytesBetweenYields = 1 << 25

/** Things that are done between two breaths, where each takes part of a millisecond. */
const stepsBetweenYields = 16

/** Lets signals and progress through now and then, where much is done of which most is quick. */
export class Breaths {
  private steps = 0
  private bytes = 0

  /** To be waited for before each thing; `bytes` is what the last one had, for large ones take long. */
  async next(bytes: number): Promise<void> {
    this.steps += 1
    this.bytes += bytes
    if (this.steps < stepsBetweenYields && this.bytes < bytesBetweenYields) return
    this.steps = 0
    this.bytes = 0
    await yieldToEvents()
  }
}
