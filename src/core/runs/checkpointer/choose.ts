/** Which checkpoints a Checkpointer means. Orders as in speechbrain/utils/checkpoints.py, `find_checkpoints`. */
import { hasReadableMeta, type Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { RankedOrder } from '../../choosing/retention/index.js'
import { byRecency, rank } from '../../choosing/selection/index.js'

/** Higher is more important. */
export type Importance = (checkpoint: Checkpoint) => number

/** At most one of the three orders; none means the newest first. */
export interface Choice {
  /** A number for each checkpoint: the highest first. */
  readonly importanceKey?: Importance | undefined
  /** Only checkpoints that have a number under this key of the meta take part; the highest first. */
  readonly maxKey?: string | undefined
  /** The same, the lowest first. */
  readonly minKey?: string | undefined
  /** Only checkpoints for which it is true take part. */
  readonly predicate?: ((checkpoint: Checkpoint) => boolean) | undefined
}

/** Best first; equal ones newest first. Checkpoints whose meta cannot be read take no part. */
export function inOrder(checkpoints: readonly Checkpoint[], choice: Choice): Checkpoint[] {
  const { importanceKey, maxKey, minKey, predicate } = choice
  if ([importanceKey, maxKey, minKey].filter((one) => one !== undefined).length > 1) {
    throw new CkptError('usage', 'only one of importanceKey, maxKey and minKey can decide')
  }
  const readable = checkpoints.filter(hasReadableMeta)
  const newestFirst = byRecency(readable).ordered.filter((one) => predicate?.(one) ?? true)
  // The clock matters to expressions only.
  if (maxKey !== undefined) return rank(newestFirst, { kind: 'max', key: maxKey }, 0)
  if (minKey !== undefined) return rank(newestFirst, { kind: 'min', key: minKey }, 0)
  return importanceKey === undefined ? newestFirst : byImportance(newestFirst, importanceKey)
}

function byImportance(newestFirst: readonly Checkpoint[], importance: Importance): Checkpoint[] {
  return newestFirst
    .map((checkpoint) => ({ checkpoint, value: importance(checkpoint) }))
    .sort((a, b) => descending(a.value, b.value))
    .map(({ checkpoint }) => checkpoint)
}

/** NaN below every number. */
function descending(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a === b ? 0 : a > b ? -1 : 1
}

/** Which checkpoints stay. */
export interface Keeping {
  /** How many each order keeps; 1 when left out. */
  readonly numToKeep?: number | undefined
  /** Recency is one of the orders, unless false. */
  readonly keepRecent?: boolean | undefined
  /** One order each, the highest first. */
  readonly importanceKeys?: readonly Importance[] | undefined
  /** Keys of the meta, one order each, the highest first. */
  readonly maxKeys?: readonly string[] | undefined
  /** The same, the lowest first. */
  readonly minKeys?: readonly string[] | undefined
  /** Only checkpoints for which it is true may go. */
  readonly predicate?: Choice['predicate']
}

/** Throws CkptError `usage`. */
export function checkKeeping({ numToKeep = 1 }: Keeping): void {
  if (Number.isSafeInteger(numToKeep) && numToKeep >= 0) return
  throw new CkptError('usage', `numToKeep is a whole number from 0 up, not ${numToKeep}`)
}

/** For the journal: `numToKeep 2, minKeys WER`. What a function decides has no words but its option's. */
export function describeKeeping({ numToKeep = 1, ...more }: Keeping): string {
  const { predicate, keepRecent = true, importanceKeys = [], maxKeys = [], minKeys = [] } = more
  return [
    `numToKeep ${numToKeep}`,
    ...(keepRecent ? [] : ['keepRecent false']),
    ...(minKeys.length === 0 ? [] : [`minKeys ${minKeys.join(' ')}`]),
    ...(maxKeys.length === 0 ? [] : [`maxKeys ${maxKeys.join(' ')}`]),
    ...(importanceKeys.length === 0 ? [] : ['importanceKeys']),
    ...(predicate === undefined ? [] : ['predicate']),
  ].join(', ')
}

export function ordersOf(checkpoints: readonly Checkpoint[], keeping: Keeping): RankedOrder[] {
  const { predicate, keepRecent = true, importanceKeys = [], maxKeys = [], minKeys = [] } = keeping
  const choices: readonly (readonly [label: string, choice: Choice])[] = [
    ...(keepRecent ? [['recency', {}] as const] : []),
    ...minKeys.map((minKey) => [`minKey ${minKey}`, { minKey }] as const),
    ...maxKeys.map((maxKey) => [`maxKey ${maxKey}`, { maxKey }] as const),
    ...importanceKeys.map((importanceKey) => ['importanceKey', { importanceKey }] as const),
  ]
  return choices.map(([label, choice]) => {
    return { label, named: true, ranked: inOrder(checkpoints, { ...choice, predicate }) }
  })
}
