/** What `find` and `recover` ask: of the checkpoints that a filter selects, the best or the newest. */
import type { Checkpoint } from '../../checkpoint.js'
import { selects, type Expression } from '../expression/index.js'
import { byRecency, type Recency } from './recency.js'
import { rank, type Order } from './rank.js'
import { scopeOf } from './scope.js'

export interface Question {
  /** All of them must be true. */
  readonly where?: readonly Expression[]
  /** None means the newest first. */
  readonly order?: Order | undefined
  /** At most this many; all, when left out. */
  readonly count?: number | undefined
}

export interface Answer extends Pick<Recency, 'scale' | 'warning'> {
  /** Best first. */
  readonly found: readonly Checkpoint[]
}

/** `now` is Unix seconds. The checkpoints must have been measured where `needsMeasure` says so. */
export function find(checkpoints: readonly Checkpoint[], question: Question, now: number): Answer {
  const { ordered, scale, warning } = byRecency(checkpoints)
  const selected = filter(ordered, question.where ?? [], now)
  const ranked = rank(selected, question.order, now)
  return {
    scale,
    ...(warning === undefined ? {} : { warning }),
    found: ranked.slice(0, question.count ?? ranked.length),
  }
}

/** Those for which every expression is true, in the order given. */
export function filter(ordered: readonly Checkpoint[], where: readonly Expression[], now: number): Checkpoint[] {
  if (where.length === 0) return [...ordered]
  return ordered.filter((checkpoint) => {
    const scope = scopeOf(checkpoint, now)
    return where.every((expression) => selects(expression, scope))
  })
}
