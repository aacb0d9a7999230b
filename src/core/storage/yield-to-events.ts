/** Reading is synchronous, for that is fastest: signals and progress come through only where somebody stands aside. */

/** Lets signals and progress through. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Bytes that are read between two breaths: some ten milliseconds. */
export const bytesBetweenYields = 1 << 25
