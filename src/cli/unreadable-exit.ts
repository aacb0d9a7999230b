import { isUnreadable, type Checkpoint } from '../core/checkpoint.js'
import { exitStatusOf } from '../core/errors.js'

interface Planned {
  readonly checkpoint: Checkpoint
}

/** The exit status says that some could not be read (they stay), or that nothing else is there. */
export function exitForUnreadable(plan: {
  readonly keep: readonly Planned[]
  readonly remove: readonly Planned[]
}): void {
  const unreadable = plan.keep.filter(({ checkpoint }) => isUnreadable(checkpoint)).length
  if (unreadable === 0) return
  process.exitCode = exitStatusOf[unreadable === plan.keep.length + plan.remove.length ? 'damaged' : 'partial']
}
