/** A plan as somebody has changed it by hand: this one stays too, and that one goes. */
import { CkptError } from '../../errors.js'
import type { Checkpoint } from '../../checkpoint.js'
import type { KeepCode, Kept, Removed, RetentionPlan } from '../../choosing/retention/index.js'

/** By path of the checkpoint, what is to become of it whatever the policy says. */
export type ByHand = ReadonlyMap<string, 'stays' | 'goes'>

/** Reasons that only the policy gives: the hand may overrule it. All others protect. */
const policyCodes: ReadonlySet<KeepCode> = new Set<KeepCode>([
  ...(['keep', 'rule', 'young', 'unselected', 'unranked', 'space', 'chosen'] as const),
])

/** Why a checkpoint cannot be let go, in words; null when it can. */
export function whyLocked({ reasons }: Kept): string | null {
  return reasons.find(({ code }) => !policyCodes.has(code))?.text ?? null
}

/**
 * The plan with these choices. What is protected stays whatever the hand says, and another name of a checkpoint goes and
 * stays with it. `ordered` are all checkpoints, newest first. Throws CkptError `refused` where nothing would stay.
 */
export function withChoices(
  plan: RetentionPlan,
  ordered: readonly Checkpoint[],
  byHand: ByHand,
  allowEmpty: boolean,
): RetentionPlan {
  if (byHand.size === 0) return plan
  const keep: Kept[] = []
  const remove: Removed[] = []
  const kept = new Map(plan.keep.map((one) => [one.checkpoint, one]))
  const removed = new Map(plan.remove.map((one) => [one.checkpoint, one]))
  for (const checkpoint of ordered) {
    const [stays, goes] = [kept.get(checkpoint), removed.get(checkpoint)]
    const choice = byHand.get(originalOf(checkpoint, ordered).path)
    if (stays !== undefined) {
      const isLocked = whyLocked({ ...stays, reasons: stays.reasons.filter(({ code }) => code !== 'same') }) !== null
      if (choice === 'goes' && !isLocked)
        remove.push({ checkpoint, reason: { code: 'chosen', text: 'let go by hand' } })
      else keep.push(stays)
    } else if (goes !== undefined) {
      if (choice === 'stays') keep.push({ checkpoint, reasons: [{ code: 'chosen', text: 'kept by hand' }] })
      else remove.push(goes)
    }
  }
  if (keep.length === 0 && remove.length > 0 && !allowEmpty) {
    throw new CkptError('refused', `this would remove all ${remove.length} checkpoints`, {
      hint: 'keep one, or say that none need stay: --allow-empty',
    })
  }
  return { ...plan, keep, remove }
}

function originalOf(checkpoint: Checkpoint, ordered: readonly Checkpoint[]): Checkpoint {
  const { sameAs } = checkpoint
  return sameAs === undefined ? checkpoint : (ordered.find(({ name }) => name === sameAs) ?? checkpoint)
}
