/** The checkpoint that a job starts from. */
import {
  describeLacks,
  isResumable,
  type Checkpoint,
  type Finding,
  type HealthLevel,
  type Run,
} from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { markStillWritten, type HealthOptions } from '../../checkpoints/health/index.js'
import {
  firstWhole,
  requireKeys,
  type OnPassedOver,
  type PassedOver,
  type StartCandidate,
} from './pass-over-damaged.js'
import { complete, findLeftovers, ScanTree } from '../../checkpoints/layouts/index.js'
import { bestOrder, rank } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { arrange, explainNoMatch, type Query } from '../opening/rank-and-filter.js'
import { cutShort } from './save-cut-short.js'
import { examineOne } from '../opening/open-run.js'
import { quoteWord } from '../../formats/text/shell-words.js'

export interface ChooseRequest {
  /** At most one order; none means the newest first. */
  readonly query: Query
  /** Where the query has no order: the best, as the framework or the only metric tells, and not the newest. */
  readonly best?: boolean
  readonly verify: HealthLevel
  /** Keys of the parameter files that it must have. */
  readonly keys: readonly string[]
  /** By name, those that jobs are not to start from, and why. */
  readonly setAside?: ReadonlyMap<string, string>
  /** One will do of which ckpt dropped what only resuming needs. */
  readonly takesDemoted?: boolean
}

export interface ChooseContext extends HealthOptions {
  /** Unix seconds. */
  readonly now: number
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
  readonly onPassedOver?: OnPassedOver
}

/**
 * The first checkpoint in the order asked for that is whole, has the files, and is not being written.
 * Throws CkptError: `no-match` when the filter selects none, `damaged` when none of those it selects is whole.
 */
export async function choose(
  storage: ReadStorage,
  run: Run,
  { query, best: wantsBest = false, verify, keys, setAside, takesDemoted = false }: ChooseRequest,
  context: ChooseContext,
): Promise<StartCandidate & { readonly warnings: readonly string[] }> {
  const { ordered, trainings, selected, warnings } = await arrange(storage, run.checkpoints, query, context.now)
  const order = query.orders[0] ?? (wantsBest ? bestOrder(ordered, selected) : undefined)
  const best = rank(selected, order, context.now)
  const ranked = takesDemoted ? best : resumableFirst(best)
  const looked = new Map<Checkpoint, Checkpoint>()
  const check = async (checkpoint: Checkpoint): Promise<readonly Finding[]> => {
    const aside = setAside?.get(checkpoint.name)
    if (aside !== undefined) return [{ grade: 'partial', reason: aside }]
    const lacking = [...(takesDemoted ? [] : demotedFindings(checkpoint)), ...requireKeys(checkpoint, keys)]
    if (verify === 'none') return lacking
    const examined = await examineOne(storage, ordered, checkpoint, verify, context)
    looked.set(checkpoint, examined)
    lacking.push(...cutShort(examined, ordered))
    if (examined.health.findings.length > 0) return [...examined.health.findings, ...lacking]
    const [settled] = await markStillWritten(ScanTree.lookingAgain(storage), [examined], context)
    return [...(settled?.health.findings ?? []), ...lacking]
  }
  const chosen = await firstWhole(ranked, check, context.onPassedOver)
  if (chosen === null) throw noneSelected(run, query, ordered)
  const known = looked.get(chosen.checkpoint) ?? chosen.checkpoint
  // Step and epoch, as `ckpt list` shows them, may lie in small files beside the meta.
  const [checkpoint = known] = await complete(storage, [known])
  if (takesDemoted) return { ...chosen, checkpoint, warnings }
  const { passedOver } = withWeightsPassedOver(chosen, best, context)
  const own = [...warnOfOlder(checkpoint, trainings), ...warnOfLacks(checkpoint), ...warnOfInexact(chosen)]
  return { ...chosen, checkpoint, passedOver, warnings: [...warnings, ...own] }
}

/** Weights alone come last, in their order: a job can begin with them, and not go on. A demoted one is reported as that. */
function resumableFirst(ranked: readonly Checkpoint[]): Checkpoint[] {
  const isWeightsAlone = (one: Checkpoint) => one.demoted === undefined && !isResumable(one)
  return [...ranked.filter((one) => !isWeightsAlone(one)), ...ranked.filter(isWeightsAlone)]
}

/** Those that would have been taken before the chosen one, were there an optimizer in them. */
function withWeightsPassedOver(
  chosen: StartCandidate,
  best: readonly Checkpoint[],
  { onPassedOver }: ChooseContext,
): StartCandidate {
  const known = new Set(chosen.passedOver.map(({ name }) => name))
  const before = best.slice(0, Math.max(0, best.indexOf(chosen.checkpoint)))
  const passed = before.flatMap((checkpoint): PassedOver[] => {
    const { name } = checkpoint
    if (known.has(name) || isResumable(checkpoint)) return []
    return [{ name, reasons: [`a job cannot go on from it: ${describeLacks(checkpoint) ?? 'weights alone'}`] }]
  })
  for (const one of passed) onPassedOver?.(one, false)
  return { ...chosen, passedOver: [...chosen.passedOver, ...passed] }
}

/** A checkpoint of another training than the newest may be meant; but not in silence. */
function warnOfOlder({ name }: Checkpoint, trainings: readonly (readonly Checkpoint[])[]): string[] {
  const newest = trainings.at(-1) ?? []
  if (trainings.length < 2 || newest.some((one) => one.name === name)) return []
  return [`${name} is of an older training than the newest in this folder, which saved ${newest[0]?.name ?? 'none'}`]
}

function warnOfLacks(checkpoint: Checkpoint): string[] {
  const lacks = describeLacks(checkpoint)
  if (lacks === null) return []
  const { name } = checkpoint
  return isResumable(checkpoint)
    ? [`${name} can be resumed from, but not exactly: ${lacks} in it`]
    : [`${name} has only the model to resume from: ${lacks} in it, so the rest starts from scratch, or the start fails`]
}

function warnOfInexact({ checkpoint: { name }, isInexact }: StartCandidate): string[] {
  if (isInexact !== true) return []
  return [`none is whole, so it is ${name}, which can be resumed from, but not exactly: random states are not there`]
}

/**
 * What saves left behind in a folder without checkpoints. None of it was ever one, so a job may start there; but not in
 * silence.
 */
export async function neverFinished(storage: ReadStorage, path: string): Promise<PassedOver[]> {
  const leftovers = await findLeftovers(storage, { path, checkpoints: [] })
  return leftovers.map(({ name, reason }) => ({ name, reasons: [reason] }))
}

/** Its weights are whole; but nothing can go on from it. */
function demotedFindings({ demoted = [] }: Checkpoint): Finding[] {
  if (demoted.length === 0) return []
  const files = demoted.map(({ name }) => name).join(', ')
  return [{ grade: 'partial', reason: `demoted: ckpt dropped ${files}, without which nothing can be resumed` }]
}

function noneSelected(run: Run, query: Query, ordered: readonly Checkpoint[]): CkptError {
  return new CkptError('no-match', `${run.path}: ${explainNoMatch(query, ordered)}`, {
    hint: `see what there is: ckpt list ${quoteWord(run.path)}`,
  })
}
