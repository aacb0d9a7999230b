/**
 * Who stays, who goes, and why: a pure function of what is known (docs/design.md §5).
 *
 * Orders and `--keep` as in SpeechBrain's `delete_checkpoints` (speechbrain/utils/checkpoints.py): candidates are the
 * union over the orders, less the best N of each; what is in no order stays. Then keep-rules rescue, the age narrows,
 * protections hold, and space targets take the oldest of what rules rescued.
 *
 * Law: one more rule, pin or protection never makes another checkpoint go. A space target cannot promise that (what
 * one spares, another must give); there the law is that it takes only what would have been a candidate without rules,
 * oldest first, and no more than the target needs.
 */
import { addTo } from '../../grouped.js'
import { isSound, isUnreadable, timeOf, type Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { checkPolicy, isRanking, isSweeping, type Policy, type RankedOrder, type SpaceTarget } from './policy.js'
import { protect, type Protections } from './protect.js'
import type { Reason, RemoveCode } from './reason.js'
import type { RuleContext } from './rule.js'

export interface Kept {
  readonly checkpoint: Checkpoint
  /** At least one. */
  readonly reasons: readonly Reason[]
}

export interface Removed {
  readonly checkpoint: Checkpoint
  readonly reason: Reason<RemoveCode>
}

/** Who stays and who goes. */
export interface RetentionPlan {
  /** Both newest first; together they are the checkpoints that were given, each once. */
  readonly keep: readonly Kept[]
  /** Those to go, each with its reason. */
  readonly remove: readonly Removed[]
  /** Bytes by which the space targets are missed although all that may go goes; 0 when they are met or not set. */
  readonly missingBytes: number
}

/** All that a plan is made of. */
export interface PlanInput {
  /** All of the run, newest first. */
  readonly checkpoints: readonly Checkpoint[]
  /** What the user asked for. */
  readonly policy: Policy
  /** The clock and the calendar that rules go by. */
  readonly context: RuleContext
  /**
   * Where several trainings lie in the run, the newest one's: none of them goes in favour of an older one's. Left out:
   * there is one.
   */
  readonly newest?: ReadonlySet<Checkpoint>
  /** Names of links that are led to another checkpoint when what they lead to goes. */
  readonly led?: ReadonlySet<string>
  /** False (`--verify none`): all count as whole. */
  readonly healthKnown: boolean
  /** Null (`--no-protect`): the policy alone decides. */
  readonly protections: Protections | null
}

/**
 * Throws CkptError `usage` for numbers that cannot be meant; `refused` for a policy that names nothing, and for a
 * plan that leaves nothing without `allowEmpty`.
 */
export function plan(input: PlanInput): RetentionPlan {
  checkPolicy(input.policy)
  const draft = new Draft(input)
  draft.sweep()
  const missingBytes = draft.makeSpace()
  draft.followOriginals()
  const result = { ...draft.split(), missingBytes }
  if (result.remove.length > 0 && result.keep.length === 0 && input.policy.allowEmpty !== true)
    throw new CkptError('refused', `this would remove all ${result.remove.length} checkpoints`, {
      hint: 'keep some (--keep 1), or say that none need stay: --allow-empty',
    })
  return result
}

/** A plan while it is made. */
class Draft {
  /** By checkpoint, why it stays although the policy might take it. */
  private readonly spared = new Map<Checkpoint, Reason[]>()
  private readonly rescued: ReadonlyMap<Checkpoint, readonly Reason[]>
  private readonly removed = new Map<Checkpoint, Reason<RemoveCode>>()
  /** May go, in order of recency: what no order keeps, selected, old enough, not protected. */
  private readonly candidates = new Map<Checkpoint, Reason<RemoveCode>>()
  /** Other names of a checkpoint, by which they stay or go: they do not count by themselves. */
  private readonly originals: ReadonlyMap<Checkpoint, Checkpoint>

  constructor(private readonly input: PlanInput) {
    const { checkpoints, protections } = input
    if (protections !== null)
      for (const [one, reasons] of protect(checkpoints, this.isSound, protections)) this.spare(one, ...reasons)
    this.originals = originalsOf(checkpoints, this.isSound)
    const slots = keepSlots(
      input.policy,
      (one) => this.isSound(one) && !this.originals.has(one),
      protections === null ? undefined : input.newest,
    )
    for (const checkpoint of checkpoints) this.judge(checkpoint, slots)
    this.rescued = rescue(
      input,
      checkpoints.filter((one) => this.isSelected(one) && this.isSound(one) && !this.originals.has(one)),
    )
  }

  private readonly isSound = (checkpoint: Checkpoint) =>
    !isUnreadable(checkpoint) && (!this.input.healthKnown || isSound(checkpoint))

  private isSelected(checkpoint: Checkpoint): boolean {
    return this.input.policy.selected?.has(checkpoint) ?? true
  }

  private spare(checkpoint: Checkpoint, ...reasons: Reason[]): void {
    addTo(this.spared, checkpoint, ...reasons)
  }

  /** Finds why one stays; without a reason it is a candidate. */
  private judge(checkpoint: Checkpoint, slots: KeepSlots): void {
    const { policy, context } = this.input
    if (this.originals.has(checkpoint)) return
    if (!this.isSelected(checkpoint))
      this.spare(checkpoint, { code: 'unselected', text: `not selected by ${policy.narrowedBy ?? '--where'}` })
    else if (!this.isSound(checkpoint)) this.judgeDamaged(checkpoint)
    else this.spare(checkpoint, ...(slots.kept.get(checkpoint) ?? slots.unranked(checkpoint)))
    const isYoung = policy.olderThan !== undefined && !isOlder(checkpoint, context.now, policy.olderThan)
    if (isYoung) this.spare(checkpoint, { code: 'young', text: 'not older than --older-than asks for' })
    if ((this.spared.get(checkpoint) ?? []).length > 0) return
    const reason = this.isSound(checkpoint) ? slots.surplus : damagedReason(checkpoint)
    this.candidates.set(checkpoint, reason)
  }

  private judgeDamaged(checkpoint: Checkpoint): void {
    if (this.spared.get(checkpoint)?.some(({ code }) => code === 'unfinished') === true) return
    // What could not be read may be whole: no flag makes it go.
    if (isUnreadable(checkpoint)) this.spare(checkpoint, { ...damagedReason(checkpoint), code: 'unreadable' })
    // One that stays for another reason is reported as damaged all the same.
    else if (this.input.policy.removeDamaged !== true || this.spared.has(checkpoint))
      this.spare(checkpoint, damagedReason(checkpoint))
  }

  /** The policy without its space targets. */
  sweep(): void {
    const sweeping = isSweeping(this.input.policy)
    for (const [checkpoint, reason] of this.candidates) {
      const goes = sweeping ? !this.rescued.has(checkpoint) : reason.code === 'damaged'
      if (goes) this.removed.set(checkpoint, reason)
    }
  }

  /** Takes the oldest candidates still there until the space targets are met; gives the bytes still missing. */
  makeSpace(): number {
    const { checkpoints, policy } = this.input
    if (policy.space === undefined) return 0
    const { sizeOf } = policy.space
    const gone = new Set(this.removed.keys())
    /** Those that give nothing back alone, for another one holds their files too. */
    const held = new Set<Checkpoint>()
    let missing = missingBytes(policy.space, checkpoints, gone)
    const take = (checkpoint: Checkpoint): void => {
      missing -= sizeOf(checkpoint, gone)
      gone.add(checkpoint)
      held.delete(checkpoint)
      this.removed.set(checkpoint, { code: 'space', text: 'the oldest that may go, to meet the space target' })
    }
    for (const checkpoint of [...this.candidates.keys()].reverse()) {
      if (missing <= 0) break
      if (gone.has(checkpoint)) continue
      for (const older of sharersOf(checkpoint, held, gone, sizeOf)) take(older)
      if (sizeOf(checkpoint, gone) > 0) take(checkpoint)
      else held.add(checkpoint)
    }
    return Math.max(missing, 0)
  }

  /** Another name stays with its checkpoint and goes with it, unless something asks for the name itself. */
  followOriginals(): void {
    for (const [checkpoint, original] of this.originals) {
      const text = `the same as ${original.name}`
      if (!this.removed.has(original)) this.spare(checkpoint, { code: 'same', text: `${text}, which stays` })
      else if (this.isLed(checkpoint))
        this.spare(checkpoint, { code: 'pointer', text: `${text}, and is led elsewhere` })
      else if (!this.spared.has(checkpoint)) this.removed.set(checkpoint, { code: 'same', text: `${text}, which goes` })
    }
  }

  /** A link, where something stays that it can be led to. */
  private isLed({ name, layout }: Checkpoint): boolean {
    const { led, checkpoints } = this.input
    if (led?.has(name) !== true) return false
    return checkpoints.some(
      (one) => one.layout === layout && !this.originals.has(one) && !this.removed.has(one) && this.isSound(one),
    )
  }

  split(): Pick<RetentionPlan, 'keep' | 'remove'> {
    const keep: Kept[] = []
    const remove: Removed[] = []
    for (const checkpoint of this.input.checkpoints) {
      const reason = this.removed.get(checkpoint)
      if (reason === undefined) keep.push({ checkpoint, reasons: this.reasonsToKeep(checkpoint) })
      else remove.push({ checkpoint, reason })
    }
    return { keep, remove }
  }

  private reasonsToKeep(checkpoint: Checkpoint): Reason[] {
    const reasons = [...(this.spared.get(checkpoint) ?? []), ...(this.rescued.get(checkpoint) ?? [])]
    if (reasons.length > 0) return reasons
    const { space } = this.input.policy
    const text = space === undefined ? 'only damaged ones are to go' : 'nothing asks for its space'
    return [{ code: 'space', text }]
  }
}

/** By checkpoint the sound sibling whose state it has too; a copy of what is damaged counts as a checkpoint of its own. */
function originalsOf(
  checkpoints: readonly Checkpoint[],
  isSound: (checkpoint: Checkpoint) => boolean,
): ReadonlyMap<Checkpoint, Checkpoint> {
  const copies = checkpoints.filter(({ sameAs }) => sameAs !== undefined)
  if (copies.length === 0) return new Map()
  const byName = new Map(checkpoints.map((checkpoint) => [checkpoint.name, checkpoint]))
  return new Map(
    copies.flatMap((copy) => {
      const original = byName.get(copy.sameAs ?? '')
      return original !== undefined && isSound(original) && isSound(copy) ? [[copy, original] as const] : []
    }),
  )
}

function damagedReason(checkpoint: Checkpoint): { code: 'damaged'; text: string } {
  const { grade, findings } = checkpoint.health
  const [first] = findings
  const cause = first === undefined ? '' : `: ${first.file === undefined ? '' : `${first.file}: `}${first.reason}`
  return { code: 'damaged', text: `${grade}${cause}` }
}

/** Unknown ages are not ages: what has none is not older than anything. */
function isOlder(checkpoint: Checkpoint, now: number, seconds: number): boolean {
  const time = timeOf(checkpoint)
  return time !== null && now - time > seconds
}

interface KeepSlots {
  /** By checkpoint, the places it has among the best of an order. */
  readonly kept: ReadonlyMap<Checkpoint, readonly Reason[]>
  /** Why one stays that no order ranks; nothing when it is ranked. */
  readonly unranked: (checkpoint: Checkpoint) => readonly Reason[]
  /** Why all others are candidates. */
  readonly surplus: Reason<RemoveCode>
}

function keepSlots(
  policy: Policy,
  isSound: (checkpoint: Checkpoint) => boolean,
  newest: ReadonlySet<Checkpoint> | undefined,
): KeepSlots {
  if (!isRanking(policy) || policy.orders.length === 0)
    return { kept: new Map(), unranked: () => [], surplus: { code: 'selected', text: whatTakes(policy) } }
  const keep = policy.keep ?? 1
  const kept = new Map<Checkpoint, Reason[]>()
  const ranked = new Set<Checkpoint>()
  for (const order of policy.orders) {
    const sound = order.ranked.filter(isSound)
    for (const checkpoint of sound) ranked.add(checkpoint)
    sound.slice(0, keep).forEach((checkpoint, index) => {
      const reason: Reason = { code: 'keep', text: placeText(index, order) }
      addTo(kept, checkpoint, reason)
    })
    const ofNewest = newest === undefined ? [] : sound.filter((one) => newest.has(one)).slice(0, keep)
    ofNewest.forEach((checkpoint, index) => {
      if (kept.has(checkpoint)) return
      const text = `${placeText(index, order)} in the newest training`
      kept.set(checkpoint, [{ code: 'keep', text }])
    })
  }
  const labels = policy.orders.map((order) => order.label).join(', ')
  const unranked: Reason = { code: 'unranked', text: `has no value for ${labels}` }
  return {
    kept,
    unranked: (checkpoint) => (ranked.has(checkpoint) ? [] : [unranked]),
    surplus: { code: 'surplus', text: keep === 0 ? '--keep 0' : surplusText(policy.orders, keep) },
  }
}

/** `newest`, `2nd newest`, `best by --min WER`, `3rd best by --min WER`. `index` counts from 0. */
function placeText(index: number, { label, named }: RankedOrder): string {
  const rank = index === 0 ? '' : `${ordinal(index + 1)} `
  return named ? `${rank}best by ${label}` : `${rank}newest`
}

function ordinal(number: number): string {
  const isTeen = number % 100 >= 11 && number % 100 <= 13
  return `${number}${isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th')}`
}

function surplusText(orders: readonly RankedOrder[], keep: number): string {
  const labels = orders.filter(({ named }) => named).map(({ label }) => label)
  const newest = orders.some(({ named }) => !named)
    ? [keep === 1 ? 'not the newest' : `older than the ${keep} newest`]
    : []
  const best = keep === 1 ? 'not the best' : `not among the best ${keep}`
  return [...newest, ...(labels.length === 0 ? [] : [`${best} by ${labels.join(', ')}`])].join('; ')
}

/** Why one goes that no order ranks: what it is that the policy asks for. */
function whatTakes({ selected, olderThan, rules = [] }: Policy): string {
  const reasons = [
    ...(selected === undefined ? [] : ['selected by --where']),
    ...(olderThan === undefined ? [] : ['older than --older-than asks for']),
    ...(rules.length === 0 ? [] : [`not kept by ${rules.map(({ label }) => label).join(', ')}`]),
  ]
  return reasons.length === 0 ? 'there is no order to keep it by' : reasons.join('; ')
}

function rescue(
  { policy, context, newest, protections }: PlanInput,
  pool: readonly Checkpoint[],
): ReadonlyMap<Checkpoint, readonly Reason[]> {
  const rescued = new Map<Checkpoint, Reason[]>()
  for (const rule of policy.rules ?? []) {
    const ofNewest = newest === undefined || protections === null ? [] : pool.filter((one) => newest.has(one))
    for (const [checkpoint, text] of new Map([...rule.rescue(ofNewest, context), ...rule.rescue(pool, context)])) {
      const reason: Reason = { code: 'rule', text: `${text} (${rule.label})` }
      addTo(rescued, checkpoint, reason)
    }
  }
  return rescued
}

/** Those of `held` without which removing this one would give less back: the same files are in both. */
function sharersOf(
  checkpoint: Checkpoint,
  held: ReadonlySet<Checkpoint>,
  gone: ReadonlySet<Checkpoint>,
  sizeOf: SpaceTarget['sizeOf'],
): Checkpoint[] {
  if (held.size === 0) return []
  const all = new Set([...gone, ...held])
  const most = sizeOf(checkpoint, all)
  if (most <= sizeOf(checkpoint, gone)) return []
  return [...held].filter((older) => {
    all.delete(older)
    const isNeeded = sizeOf(checkpoint, all) < most
    all.add(older)
    return isNeeded
  })
}

/** Bytes still to be freed once the removed ones are gone. */
function missingBytes(
  { maxTotal, minFree, sizeOf }: SpaceTarget,
  checkpoints: readonly Checkpoint[],
  removed: ReadonlySet<Checkpoint>,
): number {
  const gone = new Set<Checkpoint>()
  const weigh = (which: readonly Checkpoint[]): number =>
    which.reduce((sum, checkpoint) => {
      const bytes = sizeOf(checkpoint, gone)
      gone.add(checkpoint)
      return sum + bytes
    }, 0)
  const freed = weigh(checkpoints.filter((checkpoint) => removed.has(checkpoint)))
  const staying = weigh(checkpoints.filter((checkpoint) => !removed.has(checkpoint)))
  const overTotal = maxTotal === undefined ? 0 : staying - maxTotal
  const underFree = minFree === undefined ? 0 : minFree.bytes - minFree.free - freed
  return Math.max(overTotal, underFree, 0)
}
