/** A prune's plan, and what of it is to be carried out. */
import { describeStay, type RemovalFailure } from '../../changes/disposal/index.js'
import { CkptError } from '../../errors.js'
import type { Checkpoint, Run } from '../../checkpoint.js'
import type { Going } from './carry-out-prune.js'
import type { PrunePlan } from './prune.js'

export interface Intent {
  readonly plan: PrunePlan
  readonly going: Going & {
    /** These were planned and stay, and why. */
    readonly refused: readonly RemovalFailure[]
  }
}

interface Planned {
  readonly checkpoint: Checkpoint
}

/** The run with the checkpoints of its plan in the place of its own: each is in memory once. */
export function runAsPlanned(run: Run, { keep, remove }: Record<'keep' | 'remove', readonly Planned[]>): Run {
  const planned = new Map([...keep, ...remove].map(({ checkpoint }) => [checkpoint.path, checkpoint]))
  return { ...run, checkpoints: run.checkpoints.map((one) => planned.get(one.path) ?? one) }
}

/** All of a plan that was just made. */
export function intentOf(plan: PrunePlan): Intent {
  const { fingerprints, proof, remove } = plan
  const checkpoints = remove.map(({ checkpoint }) => checkpoint)
  const stays = plan.keep.map(({ checkpoint }) => checkpoint)
  const reasons = new Map(remove.map(({ checkpoint, reason }) => [checkpoint.name, reason.text]))
  return { plan, going: { checkpoints, stays, fingerprints, reasons, proof, refused: [] } }
}

/** What a plan comes to of which nothing is done yet and not all can be; null when all can. */
export function refusalOf({ going: { refused } }: Intent): CkptError | null {
  if (refused.length === 0) return null
  const lines = refused.map((one) => `  ${describeStay(one)}`)
  return new CkptError('partial', [`${lines.length} of the plan cannot be done`, ...lines].join('\n'), {
    hint: 'make a new plan',
  })
}
