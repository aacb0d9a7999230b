/** How long to wait before another attempt. */

export interface BackOff {
  /** Seconds before the first retry; it doubles with each. */
  readonly first: number
  /** Seconds that are never exceeded. */
  readonly cap: number
}

/**
 * Seconds before the retry after that many failures (from 1) without progress. Between half of the full time and all of
 * it, by `random` (from 0 to 1): of a hundred jobs that one outage ended not all come back at once.
 */
export function backOff({ first, cap }: BackOff, failures: number, random: number): number {
  const full = Math.min(cap, first * 2 ** Math.min(Math.max(failures - 1, 0), 40))
  return full * (0.5 + random / 2)
}
