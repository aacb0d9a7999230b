/** The order of recency over several runs. */
import { groupBy } from '../../grouped.js'
import { timeOf, type Checkpoint } from '../../checkpoint.js'
import { byRecency } from './recency.js'

/**
 * Newest first: each run's in its own order, so that no average and no start that was copied late comes before what the
 * run has for its newest; among runs by time, where one counts as no newer than what comes before it in its own run.
 */
export function byRecencyAcross(checkpoints: readonly Checkpoint[]): Checkpoint[] {
  const timed = [...groupBy(checkpoints, ({ run }) => run).values()].flatMap((run) => {
    let latest = Infinity
    return byRecency(run).ordered.map((checkpoint) => {
      latest = Math.min(latest, timeOf(checkpoint) ?? -Infinity)
      return { checkpoint, time: latest }
    })
  })
  return timed.sort((a, b) => (a.time === b.time ? 0 : b.time - a.time)).map(({ checkpoint }) => checkpoint)
}
