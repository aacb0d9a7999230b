/** What a demotion of one run would do: a prune's plan, of which each entry loses a part only. */
import { join } from 'node:path'
import type { Checkpoint, Run } from '../../checkpoint.js'
import {
  bytesFreedBy,
  demoteCheckpoints,
  folderOfParts,
  type Demoted,
  type DemoteOptions,
  type Demoting,
} from '../../changes/disposal/index.js'
import { stateFolderOf } from '../../changes/state/index.js'
import { CkptError } from '../../errors.js'
import { filesTogether, resumeOnly } from '../../checkpoints/layouts/index.js'
import { bestOrder, byRecency, describeOrder, rank, type Order } from '../../choosing/selection/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import { keepBooks, planPointerChanges, toPointed, type Parting, type Pointed } from './update-pointers.js'
import { planPrune, type PruneContext, type PrunePlan, type PruneRequest } from './prune.js'
import type { StateLocation } from '../opening/run-with-state.js'
import { quoteWord } from '../../formats/text/shell-words.js'

export interface DemoteRequest extends PruneRequest {
  /** Only what is older than each of this many best may be demoted. */
  readonly olderThanBest?: number | undefined
}

export interface DemotePlan extends Pick<
  PrunePlan,
  'keep' | 'remove' | 'fingerprints' | 'warnings' | 'freedBytes' | 'pointers' | 'proof'
> {
  /** In the order of `remove`. */
  readonly demote: readonly Demoting[]
}

/**
 * Plans; changes nothing. The policy is a prune's, and so are the protections; what has nothing that only resuming
 * needs stays as it is. Throws as `planPrune` does, and CkptError `usage` when it is not clear by what the best are.
 */
export async function planDemote(
  storage: ReadStorage,
  run: Run,
  request: DemoteRequest,
  context: PruneContext,
): Promise<DemotePlan> {
  const narrowed = request.olderThanBest === undefined ? null : olderThanBest(run, request, context.now)
  const drops = await dropsOf(storage, run.checkpoints)
  refuseFiles(run, drops)
  const why = (checkpoint: Checkpoint): string | null => {
    if (narrowed !== null && !narrowed.older.has(checkpoint.name)) return narrowed.reason
    if (checkpoint.demoted !== undefined) return 'demoted already'
    // The plan itself says of one that could not be read why it stays.
    return drops.get(checkpoint.path)?.length === 0 ? 'has nothing that only resuming needs' : null
  }
  // The order that chose the best has done its work, unless the policy itself ranks by it.
  const ranks = request.keep !== undefined || narrowed === null
  const query = ranks ? request.query : { ...request.query, orders: [] }
  const plan = await planPrune(storage, run, { ...request, query, isExcluded: why, removeDamaged: false }, context)
  const demote = plan.remove.map(({ checkpoint }) => ({ checkpoint, drop: drops.get(checkpoint.path) ?? [] }))
  const paths = demote.flatMap(({ checkpoint, drop }) =>
    drop.map((name) => ({ path: join(folderOfParts(checkpoint), name) })),
  )
  const pointers = (await planPointerChanges(storage, run, partingOf(plan.keep, demote))).map(toPointed)
  return { ...plan, demote, pointers, freedBytes: await bytesFreedBy(storage, paths) }
}

function partingOf(keep: DemotePlan['keep'], demote: DemotePlan['demote']): Parting {
  const going = demote.map(({ checkpoint }) => checkpoint)
  return { going, stays: keep.map(({ checkpoint }) => checkpoint), weightsStay: true }
}

export interface DemotionDone extends Demoted {
  /** Books of the framework that name others now. */
  readonly pointed: readonly Pointed[]
}

/**
 * What the plan says. The framework's pointer files come first, so that it is never led to what it can no longer resume from;
 * what one names that cannot be rewritten stays as it was. Under the run's lock.
 */
export async function carryOutDemotion(
  storage: Storage,
  run: Run,
  { keep, demote, fingerprints }: Pick<DemotePlan, 'keep' | 'demote' | 'fingerprints'>,
  options: Omit<DemoteOptions, 'planned'> & StateLocation,
): Promise<DemotionDone> {
  const { stateDirectory, wait } = options
  const state = await stateFolderOf(storage, run.path, stateDirectory)
  const { pointed, failed } = await keepBooks(storage, run, partingOf(keep, demote), { stateDirectory, wait })
  const free = demote.filter(({ checkpoint }) => !failed.has(checkpoint.name))
  const done = await demoteCheckpoints(storage, run.path, state, free, { ...options, planned: fingerprints })
  const bound = [...failed].map(([name, error]) => ({ name, error }))
  return { ...done, failed: [...bound, ...done.failed], pointed }
}

type Drops = ReadonlyMap<string, readonly string[] | null>

/** Throws CkptError `refused` where there is nothing to drop a part of. */
function refuseFiles({ path, checkpoints }: Run, drops: Drops): void {
  const [first] = checkpoints
  const mayLose = ({ kind, path: at, demoted }: Checkpoint): boolean =>
    kind === 'directory' || demoted !== undefined || drops.get(at)?.length !== 0
  if (first === undefined || checkpoints.some(mayLose)) return
  const areGroups = checkpoints.some(({ kind }) => kind === 'group')
  const why = areGroups
    ? 'its checkpoints are files beside one another, none of which only resuming needs'
    : 'each of its checkpoints is one file, and no part of a file can be dropped'
  throw new CkptError('refused', `${path}: ${why}`, {
    hint: `the weights alone, in a file of their own: ckpt convert ${quoteWord(first.path)} --to safetensors`,
  })
}

/** By path, the names of what only resuming needs; null where that could not be listed. */
async function dropsOf(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Drops> {
  const folders = checkpoints.filter(({ kind }) => kind === 'directory')
  const listings = await storage.list(folders.map(({ path }) => path))
  const listed = new Map(folders.map(({ path }, index) => [path, listings[index]]))
  return new Map(
    checkpoints.map((one): [string, readonly string[] | null] => {
      const listing = listed.get(one.path)
      if (listing?.ok === false) return [one.path, null]
      return [one.path, resumeOnly(one.layout, listing?.value ?? filesTogether(one), one.kind)]
    }),
  )
}

function olderThanBest(run: Run, { olderThanBest: count = 0, query }: DemoteRequest, now: number) {
  if (!(Number.isSafeInteger(count) && count >= 1)) {
    throw new CkptError('usage', `--older-than-best takes a whole number from 1 up, not ${count}`, {
      hint: '--older-than-best 3 --min WER',
    })
  }
  const { ordered } = byRecency(run.checkpoints)
  const orders: readonly Order[] = query.orders.length > 0 ? query.orders : [bestOrder(ordered)]
  const best = new Set(orders.flatMap((order) => rank(ordered, order, now).slice(0, count)))
  const oldest = ordered.findLastIndex((checkpoint) => best.has(checkpoint))
  const labels = orders.map(describeOrder).join(', ')
  return {
    older: new Set(best.size === 0 ? [] : ordered.slice(oldest + 1).map(({ name }) => name)),
    reason: `not older than the best ${count} by ${labels}`,
  }
}
