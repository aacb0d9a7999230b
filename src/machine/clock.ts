/** Time, which core is given. */
import { setTimeout } from 'node:timers/promises'

export async function wait(milliseconds: number): Promise<void> {
  await setTimeout(milliseconds)
}

/** The longest that a timer takes; a longer one would end at once. */
const longest = 2 ** 31 - 1

/** The same, and as soon as the signal aborts. */
export async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(Math.min(milliseconds, longest), undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Calls back again and again, without keeping the process alive; gives what ends it. */
export function every(milliseconds: number, call: () => void): () => void {
  const timer = setInterval(call, milliseconds)
  timer.unref()
  return () => clearInterval(timer)
}

/** Seconds that the local calendar is ahead of UTC at a moment (Unix seconds). */
export function utcOffset(time: number): number {
  return -60 * new Date(time * 1000).getTimezoneOffset()
}

/** The local time of a moment (Unix seconds), as strftime's `%Y-%m-%d+%H-%M-%S`. */
export function localStamp(time: number): string {
  const date = new Date(time * 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())]
  return `${day.join('-')}+${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join('-')}`
}
