/** Time, which core is given. */
import { setTimeout } from 'node:timers/promises'

export async function wait(milliseconds: number): Promise<void> {
  await setTimeout(milliseconds)
}

/** Seconds that the local calendar is ahead of UTC at a moment (Unix seconds). */
export function utcOffset(time: number): number {
  return -60 * new Date(time * 1000).getTimezoneOffset()
}
