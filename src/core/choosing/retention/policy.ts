/** The policy of a prune as the user asks for it, and the refusal of one that cannot be meant. */
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { Rule } from './rule.js'

/** One order, its ranking done: only those that have its value, the best first. */
export interface RankedOrder {
  /** As typed: `--min WER`; `recency` for the order that is there without being asked for. */
  readonly label: string
  /** False for recency when it was not asked for: it counts only together with a `--keep` or another order. */
  readonly named: boolean
  /** Only selected ones, damaged ones among them. */
  readonly ranked: readonly Checkpoint[]
}

export interface SpaceTarget {
  /** The most bytes that all that stays may have. */
  readonly maxTotal?: number | undefined
  /** Remove until this many bytes are free; `free` are free now. */
  readonly minFree?: { readonly bytes: number; readonly free: number } | undefined
  /** Bytes that removing it gives back once the `removed` ones are gone: files may be shared. */
  readonly sizeOf: (checkpoint: Checkpoint, removed: ReadonlySet<Checkpoint>) => number
}

/** What is to stay and what may go. */
export interface Policy {
  /** `--keep N`; left out, it is 1 where an order is named, and no order keeps anything where none is. */
  readonly keep?: number | undefined
  /** Each keeps its own best `keep`. */
  readonly orders: readonly RankedOrder[]
  /** What `--where` selects: only that may go. Left out: all. */
  readonly selected?: ReadonlySet<Checkpoint> | undefined
  /** For people, the flags that select; left out: `--where`. */
  readonly narrowedBy?: string | undefined
  /** They rescue what the orders would let go. */
  readonly rules?: readonly Rule[]
  /** Only those older than this many seconds may go. */
  readonly olderThan?: number | undefined
  /** Goes on removing until it is met. */
  readonly space?: SpaceTarget | undefined
  /** What is found damaged goes too. */
  readonly removeDamaged?: boolean
  /** The plan may remove every checkpoint. */
  readonly allowEmpty?: boolean
}

/** Throws CkptError `usage` for a number that cannot be meant. */
export function checkKeep(keep: number | undefined): void {
  if (keep !== undefined && !(Number.isSafeInteger(keep) && keep >= 0))
    throw new CkptError('usage', `--keep takes a whole number from 0 up, not ${keep}`, { hint: '--keep 2' })
}

/** Throws CkptError `usage` for numbers that cannot be meant, `refused` for a policy that names nothing. */
export function checkPolicy(policy: Policy): void {
  const { keep, olderThan, space } = policy
  checkKeep(keep)
  if (olderThan !== undefined && !(olderThan >= 0))
    throw new CkptError('usage', `--older-than takes a duration, not ${olderThan}`, { hint: '--older-than 2d' })
  for (const bytes of [space?.maxTotal, space?.minFree?.bytes]) {
    if (bytes !== undefined && !(bytes >= 0))
      throw new CkptError('usage', `a space target takes a size, not ${bytes}`, { hint: '--max-total 500G' })
  }
  if (isNothing(policy))
    throw new CkptError('refused', 'no policy given; nothing removed', {
      hint: 'say what stays: --keep 2 --min WER; or what may go: --where, --older-than',
    })
}

/** True when the orders decide: some are named, or how many they keep is. */
export function isRanking(policy: Policy): boolean {
  return policy.keep !== undefined || policy.orders.some((order) => order.named)
}

function hasSpaceTarget({ space }: Policy): boolean {
  return space?.maxTotal !== undefined || space?.minFree !== undefined
}

function hasNarrowing({ rules = [], selected, olderThan }: Policy): boolean {
  return rules.length > 0 || selected !== undefined || olderThan !== undefined
}

function isNothing(policy: Policy): boolean {
  return !isRanking(policy) && !hasNarrowing(policy) && !hasSpaceTarget(policy) && policy.removeDamaged !== true
}

/**
 * True when whole checkpoints go without a space target asking for it. What only narrows (a filter, a rule, an age)
 * does so on its own, "all but these"; beside a space target or `--remove-damaged` it narrows those, and never
 * makes more go.
 */
export function isSweeping(policy: Policy): boolean {
  return isRanking(policy) || !(hasSpaceTarget(policy) || policy.removeDamaged === true)
}
