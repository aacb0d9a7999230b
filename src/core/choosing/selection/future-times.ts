/** Times that no clock has reached yet: a wrong clock on one machine puts its checkpoint before all that follow. */
import type { Checkpoint } from '../../checkpoint.js'

/** Seconds that two machines' clocks may be apart. */
const tolerance = 300

/** Those of whose time the clocks are yet to come. `now` is Unix seconds. */
export function futureTimed(checkpoints: readonly Checkpoint[], now: number): readonly Checkpoint[] {
  return checkpoints.filter(({ unixtime }) => unixtime !== null && unixtime > now + tolerance)
}

/** For people; the order stays, for the framework itself goes by these times. `now` is Unix seconds. */
export function describeFutureTimes(checkpoints: readonly Checkpoint[], now: number): string[] {
  const future = futureTimed(checkpoints, now)
  const [first] = future
  if (first === undefined) return []
  const more = future.length > 1 ? ` (and ${future.length - 1} more)` : ''
  const hours = ((first.unixtime ?? now) - now) / 3600
  const ahead = hours < 48 ? `${hours.toFixed(1)} hours` : `${Math.round(hours / 24)} days`
  return [
    `the unixtime of ${first.name}${more} lies ${ahead} in the future, so a clock was wrong: it counts as newer than what is saved until then, by its framework too`,
  ]
}
