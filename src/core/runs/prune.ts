/** What a prune of one run would do: everything known that bears on it, brought before the pure plan. */
import { CkptError } from '../errors.js'
import { isWhole, type Checkpoint, type HealthLevel, type Run } from '../checkpoint.js'
import { bytesFreedBy, fingerprint, weigh, type Fingerprints } from '../changes/disposal/index.js'
import { settle, type HealthOptions } from '../checkpoints/health/index.js'
import {
  checkPolicy,
  plan,
  type Amount,
  type Kept,
  type Plan,
  type Policy,
  type RankedOrder,
  type Rule,
  type SpaceTarget,
} from '../choosing/retention/index.js'
import { describeOrder, impossibleMetrics, rank, scopeOf, unknownKeys } from '../choosing/selection/index.js'
import type { ReadStorage } from '../storage/storage.js'
import { arrange, namesInOrders, type Query } from './rank-and-filter.js'
import { examine } from './open.js'
import { setAsideReasons } from './set-aside.js'
import { pinsOf, type StatePlace } from './run-with-state.js'

export interface PruneRequest {
  readonly query: Query
  readonly keep?: number | undefined
  /** Recency is no order of its own. */
  readonly noKeepRecent?: boolean
  readonly rules?: readonly Rule[]
  /** Seconds. */
  readonly olderThan?: number | undefined
  /** Bytes that all that stays may have. */
  readonly maxTotal?: number | undefined
  /** What is to be free on the run's file system. */
  readonly minFree?: Amount | undefined
  /** They go to the trash, which frees no space. */
  readonly toTrash?: boolean
  readonly removeDamaged?: boolean
  readonly allowEmpty?: boolean
  /** False: the policy alone decides. */
  readonly protect?: boolean
  /** Why a checkpoint may not go, beside the policy; null when it may. */
  readonly isExcluded?: (checkpoint: Checkpoint) => string | null
  readonly verify?: HealthLevel
  /** Just saved, or about to be and then not among the run's: it takes part, and stays whatever the policy says. */
  readonly newcomer?: Checkpoint | undefined
}

export interface PruneContext extends HealthOptions, StatePlace {
  /** Unix seconds. */
  readonly now: number
  /** Resolves after so many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
  /** Seconds east of UTC at a moment (Unix seconds). */
  readonly utcOffset: (time: number) => number
}

export interface PrunePlan extends Plan {
  /** Of those to remove, as they were looked at for this plan. */
  readonly fingerprints: Fingerprints
  /** Bytes that the medium would get back. */
  readonly freedBytes: number
  readonly warnings: readonly string[]
}

/**
 * Plans; changes nothing. Throws as `plan` in retention does. Those to go are looked at twice, a second apart where
 * they are young: one that changes meanwhile is still being written, and stays.
 */
export async function planPrune(
  storage: ReadStorage,
  run: Run,
  asked: PruneRequest,
  context: PruneContext,
): Promise<PrunePlan> {
  checkTrash(asked)
  const request = await sparingSetAside(storage, run, asked, context)
  const level = request.verify ?? 'quick'
  const { newcomer } = request
  const there = await examine(storage, run.checkpoints, run.checkpoints, level, context)
  const isNew = newcomer !== undefined && !there.some(({ path }) => path === newcomer.path)
  const examined = isNew ? [...there, newcomer] : there
  const names = (request.rules ?? []).flatMap((rule) => rule.names)
  const arranged = await arrange(storage, examined, request.query, context.now, names)
  const excluded = exclusions(arranged.selected, request)
  const selected = arranged.selected.filter((checkpoint) => !excluded.has(checkpoint))
  const protect = request.protect ?? true
  const pinned = protect ? await pinnedPaths(storage, run, context) : new Map<string, string>()
  const space = await measureSpace(storage, run, arranged.ordered, request)
  const ranking = [...namesInOrders(request.query), ...names]
  const known = {
    impossible: impossibleMetrics(arranged.ordered),
    unknownKeys: unknownKeys(ranking, arranged.ordered).map(({ name }) => name),
  }
  const planWith = (changing: ReadonlySet<string>): Plan => {
    const all = plan({
      checkpoints: arranged.ordered,
      policy: toPolicy(request, selected, space, context.now),
      context: { ...context, scopeOf: (checkpoint) => scopeOf(checkpoint, context.now) },
      healthKnown: level !== 'none',
      protections: protect ? { ...known, pinned, changing } : null,
    })
    return newcomer === undefined ? all : sparing(all, newcomer.path, arranged.ordered)
  }
  const first = planWith(new Set())
  const changing = protect ? await findChanging(storage, removedBy(first), context) : new Set<string>()
  const final = changing.size === 0 ? first : planWith(changing)
  const fingerprints = await fingerprint(storage, removedBy(final))
  const freedBytes = await bytesFreedBy(storage, removedBy(final))
  const keep = final.keep.map((kept) => withExclusion(kept, excluded.get(kept.checkpoint)))
  return { ...final, keep, fingerprints, freedBytes, warnings: arranged.warnings }
}

/** A checkpoint that jobs do not start from stays, as a damaged one does, and takes no place from those they do. */
async function sparingSetAside(
  storage: ReadStorage,
  run: Run,
  request: PruneRequest,
  place: StatePlace,
): Promise<PruneRequest> {
  const reasons = request.protect === false ? new Map<string, string>() : await setAsideReasons(storage, run, place)
  if (reasons.size === 0) return request
  return { ...request, isExcluded: (one) => reasons.get(one.name) ?? request.isExcluded?.(one) ?? null }
}

/** Notes by path. A file of pins that cannot be read throws: what is pinned must not go for that. */
export async function pinnedPaths(storage: ReadStorage, run: Run, place: StatePlace): Promise<Map<string, string>> {
  const pins = await pinsOf(storage, run, place)
  const pinned = run.checkpoints.filter(({ name }) => pins.has(name))
  return new Map(pinned.map(({ name, path }) => [path, pins.get(name)?.note ?? '']))
}

function exclusions(selected: readonly Checkpoint[], { isExcluded }: PruneRequest): ReadonlyMap<Checkpoint, string> {
  const excluded = new Map<Checkpoint, string>()
  for (const checkpoint of selected) {
    const why = isExcluded?.(checkpoint) ?? null
    if (why !== null) excluded.set(checkpoint, why)
  }
  return excluded
}

function withExclusion(kept: Kept, why: string | undefined): Kept {
  if (why === undefined) return kept
  const reasons = kept.reasons.map((reason) => (reason.code === 'unselected' ? { ...reason, text: why } : reason))
  return { ...kept, reasons }
}

/** Throws as a prune of this request would for a policy that cannot be meant, or names nothing. */
export function checkRequest(request: PruneRequest): void {
  checkTrash(request)
  const { maxTotal, minFree } = request
  const nothing = { maxTotal, minFree: minFree && { bytes: 0, free: 0 }, sizeOf: () => 0 }
  checkPolicy(toPolicy(request, [], maxTotal === undefined && minFree === undefined ? undefined : nothing, 0))
}

function checkTrash({ toTrash, minFree }: PruneRequest): void {
  if (toTrash !== true || minFree === undefined) return
  throw new CkptError('usage', '--trash frees no space, so --min-free cannot be met with it', {
    hint: 'leave one of the two out',
  })
}

/** The same plan, but for the checkpoint at that path, which stays. `ordered` is newest first. */
function sparing(all: Plan, path: string, ordered: readonly Checkpoint[]): Plan {
  const spared = all.remove.find(({ checkpoint }) => checkpoint.path === path)
  if (spared === undefined) return all
  const reason = { code: 'saved', text: 'just saved' } as const
  const kept = new Map(all.keep.map((one) => [one.checkpoint, one]))
  kept.set(spared.checkpoint, { checkpoint: spared.checkpoint, reasons: [reason] })
  return {
    ...all,
    keep: ordered.flatMap((checkpoint) => kept.get(checkpoint) ?? []),
    remove: all.remove.filter((one) => one !== spared),
  }
}

/** The space targets with what is known of the space; undefined when there are none. Throws StorageError. */
async function measureSpace(
  storage: ReadStorage,
  run: Run,
  checkpoints: readonly Checkpoint[],
  { maxTotal, minFree }: PruneRequest,
): Promise<SpaceTarget | undefined> {
  if (maxTotal === undefined && minFree === undefined) return undefined
  const sizeOf = await weigh(storage, checkpoints)
  if (minFree === undefined) return { maxTotal, sizeOf }
  const [space] = await storage.space([run.path])
  if (space?.ok !== true) throw space?.error ?? new CkptError('system', `${run.path}: its file system tells no space`)
  const { total, free } = space.value
  const bytes = 'share' in minFree ? Math.ceil(minFree.share * total) : minFree.bytes
  return { maxTotal, minFree: { bytes, free }, sizeOf }
}

function toPolicy(
  request: PruneRequest,
  selected: readonly Checkpoint[],
  space: SpaceTarget | undefined,
  now: number,
): Policy {
  const { query, keep, rules, olderThan, removeDamaged = false, newcomer, isExcluded } = request
  const allowEmpty = request.allowEmpty === true || newcomer !== undefined
  const named = query.orders.map((order): RankedOrder => {
    return { label: describeOrder(order), named: true, ranked: rank(selected, order, now) }
  })
  const recency: RankedOrder = { label: 'recency', named: false, ranked: selected }
  return {
    keep,
    orders: request.noKeepRecent === true ? named : [recency, ...named],
    selected: query.where.length === 0 && isExcluded === undefined ? undefined : new Set(selected),
    rules: rules ?? [],
    olderThan,
    space,
    removeDamaged,
    allowEmpty,
  }
}

function removedBy({ remove }: Plan): Checkpoint[] {
  return remove.map(({ checkpoint }) => checkpoint)
}

export async function findChanging(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  context: PruneContext,
): Promise<ReadonlySet<string>> {
  const settled = await settle(storage, checkpoints, context)
  const moved = settled.filter((checkpoint, index) => checkpoint !== checkpoints[index] && !isWhole(checkpoint))
  return new Set(moved.map((checkpoint) => checkpoint.path))
}
