/** The question whether a plan is to be carried out: what is shown first, and changed by hand as often as wanted. */
import { CkptError } from '../../core/errors.js'
import type { ByHand, Intent } from '../../core/runs/index.js'
import type { Output } from '../../render/output.js'
import { renderQuestion } from '../../render/prune.js'
import { ask } from './confirm.js'

export interface PlanQuestion {
  /** Makes the plan anew with what was chosen by hand. */
  readonly planWith: (byHand: ByHand) => Promise<Intent>
  readonly show: (intent: Intent) => void
  /** What may be answered beside yes and no. */
  readonly offers: { readonly show: boolean; readonly edit: boolean }
  /** The list comes before the plan is shown. */
  readonly beginsWithList: boolean
  /** A yes was given before. */
  readonly isAgreed: boolean
  /** Absolute path of the run. */
  readonly run: string
  readonly allowEmpty: boolean
  readonly toTrash: boolean
  /** Unix seconds. */
  readonly now: () => number
  readonly output: Output
}

/** The plan that was shown and agreed to, or that removes nothing. Throws CkptError `refused` for a no, `interrupted`. */
export async function agreeOnPlan(question: PlanQuestion): Promise<Intent> {
  const { offers, isAgreed } = question
  let byHand: ByHand = new Map()
  let isEditing = question.beginsWithList && offers.edit
  for (;;) {
    const intent = await question.planWith(byHand)
    if (!isEditing) {
      // Nothing is deleted that was not shown.
      question.show(intent)
      if (intent.plan.remove.length === 0 || isAgreed) return intent
      if ((await answerTo(intent, question)) === 'yes') return intent
    }
    byHand = await edit(intent, byHand, question)
    isEditing = false
  }
}

async function answerTo({ plan }: Intent, question: PlanQuestion): Promise<'yes' | 'edit'> {
  const { offers, toTrash, now } = question
  const offered = (['show', 'edit'] as const).filter((one) => offers[one])
  for (;;) {
    const answer = await ask(renderQuestion(plan, now(), toTrash), '--yes', offered)
    if (answer === 'no') throw new CkptError('refused', 'Cancelled; nothing removed.')
    if (answer !== 'show') return answer
    await showRemoved(plan, question)
  }
}

/** Everything that is known of the checkpoints to be removed. */
async function showRemoved({ remove }: Intent['plan'], { now, output }: PlanQuestion): Promise<void> {
  const { renderCheckpoint } = await import('../../render/show.js')
  const view = { named: [], knownBy: [], now: now(), output }
  for (const { checkpoint } of remove) output.dataLines([...renderCheckpoint(checkpoint, new Map(), view), ''])
}

async function edit({ plan }: Intent, byHand: ByHand, question: PlanQuestion): Promise<ByHand> {
  const { editPlan } = await import('./edit-plan.js')
  const { run, allowEmpty, output, now } = question
  return editPlan(plan, { run, byHand, allowEmpty, now: now(), output })
}
