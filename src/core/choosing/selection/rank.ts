/** `--min`, `--max`, `--by`: the best first. */
import { stateOf, type Checkpoint } from '../../checkpoint.js'
import { toNumeric, type Expression } from '../expression/index.js'
import { scopeOf } from './scope.js'

export type Order =
  | { readonly kind: 'min' | 'max'; readonly key: string }
  /** Higher is better. */
  | { readonly kind: 'by'; readonly expression: Expression }

/**
 * Best first, only those that have the order's value. Of equal ones first the one that the framework itself holds for
 * the best by that metric; the others stay in the order given (recency). Numbers count, booleans as 0 and 1; NaN ranks
 * below every number, whether low or high is good. Without an order all stay as they are. `now` is Unix seconds.
 */
export function rank(ordered: readonly Checkpoint[], order: Order | undefined, now: number): Checkpoint[] {
  if (order === undefined) return [...ordered]
  const better = order.kind === 'min' ? -1 : 1
  const named = order.kind === 'by' ? new Set<string>() : bestByFramework(ordered, order.key)
  return ordered
    .map((checkpoint) => ({ checkpoint, value: valueFor(checkpoint, order, now) }))
    .filter((entry): entry is Entry => entry.value !== undefined)
    .sort(
      (a, b) =>
        compareRanks(b.value, a.value, better) ||
        Number(named.has(stateOf(b.checkpoint))) - Number(named.has(stateOf(a.checkpoint))),
    )
    .map((entry) => entry.checkpoint)
}

/** Of each run what the newest bookkeeping says. */
function bestByFramework(ordered: readonly Checkpoint[], metric: string): ReadonlySet<string> {
  const best = new Map<string, string>()
  for (const { run, pointsTo } of ordered) {
    const pointer = best.has(run) ? undefined : pointsTo.find((one) => one.metric === metric)
    if (pointer !== undefined) best.set(run, `${run}/${pointer.name}`)
  }
  return new Set(best.values())
}

interface Entry {
  readonly checkpoint: Checkpoint
  readonly value: number | bigint
}

/** The number that an order goes by; undefined when the checkpoint has none. */
export function valueFor(checkpoint: Checkpoint, order: Order, now: number): number | bigint | undefined {
  const scope = scopeOf(checkpoint, now)
  return toNumeric(order.kind === 'by' ? order.expression.evaluate(scope) : scope.get(order.key))
}

/** Positive when `a` is better. */
function compareRanks(a: number | bigint, b: number | bigint, better: 1 | -1): number {
  const isNaNs = Number(isNaN(b)) - Number(isNaN(a))
  if (isNaNs !== 0 || isNaN(a)) return isNaNs
  if (a > b) return better
  return a < b ? -better : 0
}

function isNaN(value: number | bigint): boolean {
  return typeof value === 'number' && Number.isNaN(value)
}

/** As it would be typed: `--min WER`. */
export function describeOrder(order: Order): string {
  return order.kind === 'by' ? `--by ${quoteWord(order.expression.text)}` : `--${order.kind} ${quoteWord(order.key)}`
}

/** For a shell: bare where that is safe. */
function quoteWord(word: string): string {
  return /^[\w/.:][\w/.:-]*$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
