/** Turns the selection and policy flags into the queries and policies of core. */
import { CkptError } from '../../core/errors.js'
import { parseExpression } from '../../core/choosing/expression/index.js'
import { checkKeep, parseAge, parseAmount, parseBytes, rules, type Rule } from '../../core/choosing/retention/index.js'
import { quoteWord } from '../../core/formats/text/shell-words.js'
import { describeNoMatch, type PruneRequest, type Query } from '../../core/runs/index.js'
import { describeOrder, type Criterion, type Order } from '../../core/choosing/selection/index.js'
import { whatRunsAre } from '../../core/checkpoints/layouts/index.js'
import { readTraining } from './common-flags.js'
import { printable } from '../../render/printable.js'
import { plural } from '../../render/units.js'

export interface SelectionFlags {
  readonly min?: readonly string[] | undefined
  readonly max?: readonly string[] | undefined
  readonly by?: readonly string[] | undefined
  readonly 'then-min'?: readonly string[] | undefined
  readonly 'then-max'?: readonly string[] | undefined
  readonly where?: readonly string[] | undefined
  readonly training?: string | undefined
}

/** Throws CkptError `bad-expression`, and `usage` for a second order without a first. */
export async function readQuery(flags: SelectionFlags): Promise<Query> {
  const by = await Promise.all((flags.by ?? []).map(parseExpression))
  const then = readThen(flags)
  const criteria: readonly Criterion[] = [
    ...(flags.min ?? []).map((key) => ({ kind: 'min' as const, key })),
    ...(flags.max ?? []).map((key) => ({ kind: 'max' as const, key })),
    ...by.map((expression) => ({ kind: 'by' as const, expression })),
  ]
  const [second] = then
  if (second !== undefined && criteria.length === 0) {
    throw new CkptError('usage', `--then-${second.kind} decides ties of another order, and there is none`, {
      hint: `--min val_loss --then-${second.kind} ${second.key}`,
    })
  }
  return {
    orders: then.length === 0 ? criteria : criteria.map((one) => ({ ...one, then })),
    where: await Promise.all((flags.where ?? []).map(parseExpression)),
    ...(flags.training === undefined ? {} : { training: readTraining(flags.training) }),
  }
}

/** What decides between equal ones. Flags of two names have lost the order in which they were typed. */
function readThen({ 'then-min': min = [], 'then-max': max = [] }: SelectionFlags) {
  if (min.length > 0 && max.length > 0) {
    throw new CkptError('usage', '--then-min and --then-max together do not say which of them decides first', {
      hint: "weigh them in one: --by '-val_loss + 1e-6 * acc'",
    })
  }
  return [...min.map((key) => ({ kind: 'min' as const, key })), ...max.map((key) => ({ kind: 'max' as const, key }))]
}

/** The one order there may be where a single answer is wanted. */
export function onlyOrder(query: Query): Order | undefined {
  if (query.orders.length > 1) {
    throw new CkptError('usage', `${query.orders.map(describeOrder).join(' and ')}: only one ranking can decide`, {
      hint: "give one of them, or weigh them in one: --by 'acc - 0.1 * loss'",
    })
  }
  return query.orders[0]
}

export interface Searched {
  /** Folders that could not be searched. */
  readonly unreadable?: number
  /** What `--exclude` names. */
  readonly exclude?: readonly string[] | undefined
}

/** The error for no run below any of `roots`. */
export function noRunBelow(roots: readonly string[], { unreadable = 0, exclude = [] }: Searched = {}): CkptError {
  const named = roots.map(printable).join(', ')
  const left = exclude.map((pattern) => ` --exclude ${quoteWord(pattern)}`).join('')
  const without = left === '' ? '' : `, searched with${printable(left)}`
  const message = `no run in ${named} or below ${roots.length === 1 ? 'it' : 'them'}${without}`
  if (unreadable === 0) {
    const hint = left === '' ? whatRunsAre : `see what is there without${printable(left)}`
    return new CkptError('not-found', message, { hint })
  }
  return new CkptError('partial', `${message}, but ${plural(unreadable, 'folder')} there could not be read`, {
    hint: `see which: find ${roots.map(quoteWord).join(' ')} -type d ! -readable`,
  })
}

/** The error for a selection that no checkpoint of the run at `path` matches, or of all runs below it. */
export function noMatch(path: string, count: number, query: Query, isOfMany = false): CkptError {
  const hint = `see what there is: ckpt list ${isOfMany ? '-r ' : ''}${quoteWord(path)}`
  return new CkptError('no-match', describeNoMatch(count, query), { hint })
}

export interface PolicyFlags extends SelectionFlags {
  readonly keep?: number | undefined
  readonly 'no-keep-recent'?: boolean | undefined
  readonly 'older-than'?: string | undefined
  readonly 'max-total'?: string | undefined
  readonly 'min-free'?: string | undefined
  readonly 'remove-damaged'?: boolean | undefined
  readonly 'as-far-as-possible'?: boolean | undefined
  readonly 'no-protect'?: boolean | undefined
  readonly 'allow-empty'?: boolean | undefined
}

/** What a prune is to do, from `policyFlags` and `selectionFlags`. Throws CkptError `usage` and `bad-expression`. */
export async function readPolicy(flags: PolicyFlags): Promise<PruneRequest> {
  const { 'older-than': olderThan, 'max-total': maxTotal, 'min-free': minFree } = flags
  checkKeep(flags.keep)
  return {
    query: await readQuery(flags),
    keep: flags.keep,
    noKeepRecent: flags['no-keep-recent'] ?? false,
    rules: await readRules({ ...flags }),
    olderThan: olderThan === undefined ? undefined : parseAge('older-than', olderThan),
    maxTotal: maxTotal === undefined ? undefined : parseBytes('max-total', maxTotal),
    minFree: minFree === undefined ? undefined : parseAmount('min-free', minFree),
    removeDamaged: flags['remove-damaged'] ?? false,
    asFarAsPossible: flags['as-far-as-possible'] ?? false,
    allowEmpty: flags['allow-empty'] ?? false,
    protect: flags['no-protect'] !== true,
  }
}

/** The keep-rules among the flags. Throws CkptError `usage` and `bad-expression`. */
async function readRules(flags: Readonly<Record<string, unknown>>): Promise<Rule[]> {
  const parsed = rules.flatMap((kind) => valuesOf(flags[kind.flag]).map((value) => kind.parse(value)))
  return Promise.all(parsed)
}

function valuesOf(value: unknown): string[] {
  if (value === true) return ['']
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values.filter((one) => typeof one === 'string')
}
