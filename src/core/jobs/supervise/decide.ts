/** What follows an attempt's end. */
import type { ChildEnd } from '../command/index.js'
import { backOff, type BackOff } from './back-off.js'
import type { Budget } from './budget.js'
import type { Cause, Judgement, Retried } from './classify.js'

export type Decision =
  /** `after` is seconds. */
  | { readonly kind: 'restart'; readonly after: number }
  /** To the scheduler, which starts it again. */
  | { readonly kind: 'requeue' }
  /** `why` is for people; null when there is nothing to say. */
  | { readonly kind: 'finish'; readonly why: string | null }

export interface DecideRules {
  readonly backOff: BackOff
  /** Exit statuses that no retry can mend. */
  readonly noRetryOn: ReadonlySet<number>
  /** Why no scheduler can put the job back, for people; null when one can. */
  readonly noRequeue: string | null
}

export interface Ended {
  readonly end: ChildEnd
  readonly status: number
  readonly cause: Cause | null
  readonly judgement: Judgement
}

/** What a shell says of a command that it cannot find, or may not run. */
const hopeless: ReadonlySet<number> = new Set([126, 127])

/** Spends from the budget. `random` is from 0 to 1. */
export function decide(ended: Ended, budget: Budget, rules: DecideRules, random: number): Decision {
  const { ending } = ended.judgement
  if (ending === 'done' || ending === 'stopped') return { kind: 'finish', why: null }
  if (ended.cause?.kind === 'enough') return { kind: 'finish', why: 'it was asked to stop' }
  const against = whyNot(ended, ending, budget, rules)
  if (against !== null) return { kind: 'finish', why: against }
  budget.spend(ending)
  const isOver = ended.cause?.kind === 'warning' || ended.cause?.kind === 'scheduler'
  if (rules.noRequeue === null && (isOver || ending === 'requeue')) return { kind: 'requeue' }
  if (isOver) return { kind: 'finish', why: rules.noRequeue }
  // Whatever else ended, the time and the machine are still there for another attempt.
  return { kind: 'restart', after: backOff(rules.backOff, budget.failures, random) }
}

function whyNot({ end, status }: Ended, ending: Retried, budget: Budget, { noRetryOn }: DecideRules): string | null {
  if (end.kind === 'unstarted') return 'trying again would not help'
  if (noRetryOn.has(status)) return `exit status ${status} is not retried`
  if (ending === 'never-started' && hopeless.has(status)) return `exit status ${status}: there is no such command`
  if (budget.left(ending) > 0) return null
  const limit = budget.limitOf(ending)
  if (limit === 0) return `${ending}: no retries`
  return limit === 1 ? `${ending}: its one retry is used up` : `${ending}: all ${limit} retries are used up`
}
