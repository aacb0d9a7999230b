/** The exit status of a plan that could not read some of the checkpoints. */
import { isUnreadable, type Checkpoint } from '../../core/checkpoint.js'
import { exitStatusOf } from '../../core/errors.js'

interface Planned {
  readonly checkpoint: Checkpoint
}

/** Sets exit status 6 where some checkpoints of the plan could not be read (they stay), 4 where none could be. */
export function setExitStatusForUnreadable(plan: {
  readonly keep: readonly Planned[]
  readonly remove: readonly Planned[]
}): void {
  const unreadable = plan.keep.filter(({ checkpoint }) => isUnreadable(checkpoint)).length
  if (unreadable === 0) return
  process.exitCode = exitStatusOf[unreadable === plan.keep.length + plan.remove.length ? 'damaged' : 'partial']
}
