/** `--min`, `--max`, `--by`: the best first. */
import { stateOf, type Checkpoint } from '../../checkpoint.js'
import { quoteWord } from '../../formats/text/shell-words.js'
import { toNumeric, type Expression } from '../expression/index.js'
import { scopeOf } from './scope.js'

/** One number of a checkpoint, and which way it gets better. */
export type Criterion =
  | { readonly kind: 'min' | 'max'; readonly key: string }
  /** Higher is better. */
  | { readonly kind: 'by'; readonly expression: Expression }

interface Finer {
  /** What decides between equal ones, one after the other: `--then-max acc`. One without the value comes last. */
  readonly then?: readonly Criterion[]
  /** State (`stateOf`) that comes first whatever its value: the framework itself names it the best. */
  readonly first?: string
}

/** What is best: the lowest or highest value of a key, the highest of an expression, or the one that the framework names. */
export type Order =
  | (Criterion & Finer)
  | {
      /** The one that the framework names, where nothing says by which metric. */
      readonly kind: 'named'
      /** What names it: `best_model_checkpoint`. */
      readonly label: string
      /** Its state: see `stateOf`. */
      readonly first: string
    }

/**
 * Best first, only those that have the order's value. Of equal ones first what the order's second criteria say, then
 * the one that the framework itself holds for the best by that metric; the others stay in the order given (recency).
 * Numbers count, booleans as 0 and 1; NaN ranks below every number, whether low or high is good. Without an order all
 * stay as they are. `now` is Unix seconds.
 */
export function rank(ordered: readonly Checkpoint[], order: Order | undefined, now: number): Checkpoint[] {
  if (order === undefined) return [...ordered]
  if (order.kind === 'named') return ordered.filter((checkpoint) => isFirstBy(order, checkpoint))
  const { entries, compare } = toRank(ordered, order, now)
  return entries.sort(compare).map(({ checkpoint }) => checkpoint)
}

/** The first of them, without ranking the others. */
export function bestBy(ordered: readonly Checkpoint[], order: Criterion & Finer, now: number): Checkpoint | undefined {
  const { entries, compare } = toRank(ordered, order, now)
  let best = entries[0]
  for (const entry of entries) if (best !== undefined && compare(entry, best) < 0) best = entry
  return best?.checkpoint
}

function isFirstBy({ first }: Pick<Order, 'first'>, checkpoint: Checkpoint): boolean {
  return first !== undefined && stateOf(checkpoint) === first
}

interface Entry {
  readonly checkpoint: Checkpoint
  readonly isFirst: boolean
  readonly isNamed: boolean
  readonly values: Values
  /** By the first value, the lower the better. What is equal in it may yet differ; NaN says nothing. */
  readonly place: number
}

/** Those that have the order's value, and which of two comes first. */
function toRank(ordered: readonly Checkpoint[], order: Criterion & Finer, now: number) {
  const named = order.kind === 'by' ? new Set<string>() : bestByFramework(ordered, order.key)
  const criteria = [order, ...(order.then ?? [])]
  const entries: Entry[] = []
  for (const checkpoint of ordered) {
    const isFirst = isFirstBy(order, checkpoint)
    const values = criteria.map((criterion) => valueFor(checkpoint, criterion, now))
    if (!isFirst && values[0] === undefined) continue
    const isNamed = named.size > 0 && named.has(stateOf(checkpoint))
    entries.push({ checkpoint, isFirst, isNamed, values, place: isFirst ? -Infinity : placeOf(values[0], order) })
  }
  const compareExactly = (a: Entry, b: Entry) =>
    Number(b.isFirst) - Number(a.isFirst) ||
    compareValues(a.values, b.values, criteria) ||
    Number(b.isNamed) - Number(a.isNamed)
  // Of thousands nearly all are told apart by their places.
  const compare = (a: Entry, b: Entry) => {
    if (a.place < b.place) return -1
    return a.place > b.place ? 1 : compareExactly(a, b)
  }
  return { entries, compare }
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

/** The number that an order goes by; undefined when the checkpoint has none. */
export function valueFor(checkpoint: Checkpoint, order: Order, now: number): number | bigint | undefined {
  if (order.kind === 'named') return undefined
  const scope = scopeOf(checkpoint, now)
  return toNumeric(order.kind === 'by' ? order.expression.evaluate(scope) : scope.get(order.key))
}

function placeOf(value: number | bigint | undefined, { kind }: Criterion): number {
  return kind === 'min' ? Number(value) : -Number(value)
}

type Values = readonly (number | bigint | undefined)[]

/** Negative when `a` comes first. */
function compareValues(a: Values, b: Values, criteria: readonly Criterion[]): number {
  for (let index = 0; index < criteria.length; index += 1) {
    const result = compareRanks(b[index], a[index], criteria[index]?.kind === 'min' ? -1 : 1)
    if (result !== 0) return result
  }
  return 0
}

/** Positive when `a` is better. NaN is below every number, and none at all below that. */
function compareRanks(a: number | bigint | undefined, b: number | bigint | undefined, better: 1 | -1): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  const isNaNs = Number(isNaN(b)) - Number(isNaN(a))
  if (isNaNs !== 0 || isNaN(a)) return isNaNs
  if (a > b) return better
  return a < b ? -better : 0
}

function isNaN(value: number | bigint): boolean {
  return typeof value === 'number' && Number.isNaN(value)
}

/** As it would be typed: `--min WER --then-max ACC`; what the framework names by the pointer's label. */
export function describeOrder(order: Order): string {
  if (order.kind === 'named') return order.label
  const then = (order.then ?? []).map((one) => describeOrder(one).replace('--', '--then-'))
  return [describeCriterion(order), ...then].join(' ')
}

function describeCriterion(order: Criterion): string {
  return order.kind === 'by' ? `--by ${quoteWord(order.expression.text)}` : `--${order.kind} ${quoteWord(order.key)}`
}

/** The names that an order reads of a checkpoint. */
export function namesIn(order: Order): string[] {
  if (order.kind === 'named') return []
  return [order, ...(order.then ?? [])].flatMap((one) => (one.kind === 'by' ? [...one.expression.names] : [one.key]))
}
