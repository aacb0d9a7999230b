/** What a prune of one run would do: everything known that bears on it, brought before the pure plan. */
import { relative } from 'node:path'
import { CkptError } from '../../errors.js'
import { formatSize } from '../../formats/text/size-text.js'
import { isSound, type Checkpoint, type HealthLevel, type Run } from '../../checkpoint.js'
import {
  bytesFreedBy,
  fingerprint,
  freedBy,
  type SharedFile,
  guardRun,
  pathsOf,
  measureFreed,
  type Fingerprints,
} from '../../changes/disposal/index.js'
import { markStillWritten, type HealthOptions } from '../../checkpoints/health/index.js'
import { pointerFilesOf, ScanTree } from '../../checkpoints/layouts/index.js'
import {
  isInForce,
  readProven,
  stateFolderOf,
  unreadRecordsOf,
  type Pin,
  type Proven,
} from '../../changes/state/index.js'
import {
  checkPolicy,
  plan,
  type Amount,
  type Kept,
  type RetentionPlan,
  type Policy,
  type RankedOrder,
  type Rule,
  type SpaceTarget,
} from '../../choosing/retention/index.js'
import {
  describeOrder,
  describeUnknownKey,
  impossibleMetrics,
  rank,
  scopeOf,
  unknownKeys,
} from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { arrange, namesInOrders, type Query } from '../opening/rank-and-filter.js'
import { bytesOf } from './disk-use.js'
import { withEqualFolders } from './equal-folders.js'
import { planPointerChanges, toPointed, type Pointed } from './update-pointers.js'
import { withChoices, type ByHand } from './plan-by-hand.js'
import { PlanChecks, type Writers } from './plan-checks.js'
import { examine } from '../opening/open-run.js'
import { setAsideReasons } from '../protecting/set-aside.js'
import { pinsOf } from '../protecting/protecting-pins.js'
import { halfElsewhere, type StateLocation } from '../opening/run-with-state.js'
import { describeStillNamed } from './still-named.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** What is to stay and what may go, as `ckpt prune` is asked. */
export interface PruneRequest {
  /** The orders that keep, and what may go at all. */
  readonly query: Query
  /** How many of each order stay; 1 when an order is named. */
  readonly keep?: number | undefined
  /** Recency is not an order of its own. */
  readonly noKeepRecent?: boolean
  /** They rescue what the orders would let go. */
  readonly rules?: readonly Rule[]
  /** Seconds. */
  readonly olderThan?: number | undefined
  /** Bytes that all that stays may have. */
  readonly maxTotal?: number | undefined
  /** What is to be free on the run's file system. */
  readonly minFree?: Amount | undefined
  /** They go to the trash, which frees no space. */
  readonly toTrash?: boolean
  /** What is found damaged goes too. */
  readonly removeDamaged?: boolean
  /** The plan may remove every checkpoint. */
  readonly allowEmpty?: boolean
  /** False: the policy alone decides. */
  readonly protect?: boolean
  /** What is made to name another checkpoint (DeepSpeed's `latest`) protects none. */
  readonly pointersFollow?: boolean
  /** Why a checkpoint may not go, beside the policy; null when it may. */
  readonly isExcluded?: (checkpoint: Checkpoint) => string | null
  /** Left out: `quick`. */
  readonly verify?: HealthLevel | undefined
  /** Every byte of the newest that stays is read before anything goes, unless it was before. */
  readonly proves?: boolean
  /** A space target that cannot be met takes all that may go; else such a plan is refused. */
  readonly asFarAsPossible?: boolean
  /** Just saved, or about to be and then not among the run's: it takes part, and stays whatever the policy says. */
  readonly newcomer?: Checkpoint | undefined
  /** Names that the job's own start has saved: at least the newest of them that is there stays. */
  readonly ownStart?: readonly string[]
  /** What somebody chose in place of what the policy says. */
  readonly byHand?: ByHand | undefined
}

export interface PruneContext extends HealthOptions, StateLocation {
  /** Unix seconds. */
  readonly now: number
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
  /** Seconds east of UTC at a moment (Unix seconds). */
  readonly utcOffset: (time: number) => number
  /** Left out: nobody is known to write. */
  readonly writers?: Writers
  /**
   * Nothing will be removed by this plan: it has no fingerprints, and a second is waited only where one may just now be
   * written.
   */
  readonly onlyAsks?: boolean
}

/** Who stays, who goes, and what removing them needs and gives. */
export interface PrunePlan extends RetentionPlan {
  /** Of those to remove, as they were looked at for this plan. */
  readonly fingerprints: Fingerprints
  /** Their sizes, but for holes and for files that keep another name. */
  readonly freedBytes: number
  /** Files of which other names stay, as far as this run alone is concerned: other runs may have them. */
  readonly shared?: readonly SharedFile[]
  /** What those that stay take up, a file with several names once, as `du` has it. */
  readonly keptBytes: number
  /** For people. */
  readonly warnings: readonly string[]
  /** Books of the framework that will name others, or list fewer. */
  readonly pointers: readonly Pointed[]
  /** The newest that stays, read to its last byte; null where that was not asked for. */
  readonly proof: Proven | null
}

/**
 * Plans; changes nothing. Throws as `plan` in retention does, and CkptError `refused` for a space target that cannot be
 * met. Those to go and the newest to stay are looked at twice, a second apart where they are young: one that changes
 * meanwhile is still being written. What comes out then, or when the newest is read to its last byte, makes another plan.
 */
export async function planPrune(
  storage: ReadStorage,
  run: Run,
  asked: PruneRequest,
  context: PruneContext,
): Promise<PrunePlan> {
  guardRun(storage, run.path)
  const tree = ScanTree.over(storage)
  const { draft, proof } = await decide(tree, run, asked, context)
  return finish(tree, run, draft, proof, context)
}

/** What a prune would come to, for those who only ask. */
export type PrunePreview = Pick<PrunePlan, 'keep' | 'remove' | 'missingBytes' | 'freedBytes' | 'warnings'>

/**
 * The same decision without what carrying it out needs. `examined` are the run's checkpoints, looked at as deep as
 * asked. Throws as `planPrune` does.
 */
export async function previewPrune(
  storage: ReadStorage,
  run: Run,
  asked: PruneRequest,
  context: PruneContext,
  examined: readonly Checkpoint[],
): Promise<PrunePreview> {
  const tree = ScanTree.over(storage)
  const { draft } = await decide(tree, run, asked, { ...context, onlyAsks: true }, examined)
  const { remove, missingBytes } = draft.plan
  const freedBytes = await bytesFreedBy(tree, pathsOf(removedBy(draft.plan)))
  return { keep: keptOf(draft), remove, missingBytes, freedBytes, warnings: draft.warnings }
}

async function decide(
  storage: ReadStorage,
  run: Run,
  asked: PruneRequest,
  context: PruneContext,
  known?: readonly Checkpoint[],
): Promise<{ readonly draft: PruneDraft; readonly proof: Proven | null }> {
  checkTrash(asked)
  const request = await sparingSetAside(storage, run, asked, context)
  const looks = await lastLooksFor(storage, run, request, context)
  const led = await namesOfLinks(storage, run)
  const there = known ?? (await examineAll(storage, run, request, context))
  let examined = await withEqualFolders(storage, there, context.signal)
  for (;;) {
    const draft = await makeDraft(storage, run, request, context, { examined, changing: looks.changing, led })
    await refuseUnmet(storage, draft.plan, request)
    const news = await looks.at(draft.plan, examined)
    if (news === null) return { draft, proof: looks.proof }
    examined = examined.map((checkpoint) => news.get(checkpoint.path) ?? checkpoint)
  }
}

async function lastLooksFor(
  storage: ReadStorage,
  run: Run,
  { verify, proves = false, protect = true, newcomer }: PruneRequest,
  context: PruneContext,
): Promise<PlanChecks> {
  const state = await stateFolderOf(storage, run.path, context.stateDirectory)
  return new PlanChecks(storage, {
    ...context,
    isUnread: verify === 'none',
    protects: protect,
    proven: proves ? await readProven(storage, state) : null,
    newcomer: newcomer?.path,
    writers: context.writers,
    onlyAsks: context.onlyAsks === true,
  })
}

async function examineAll(
  storage: ReadStorage,
  run: Run,
  { verify = 'quick', newcomer }: PruneRequest,
  context: PruneContext,
): Promise<readonly Checkpoint[]> {
  const there = await examine(storage, run.checkpoints, run.checkpoints, verify, context)
  const isNew = newcomer !== undefined && !there.some(({ path }) => path === newcomer.path)
  return isNew ? [...there, newcomer] : there
}

/** A plan with all that is known so far, and what it tells beside. */
interface PruneDraft {
  readonly plan: RetentionPlan
  readonly excluded: ReadonlyMap<Checkpoint, string>
  readonly warnings: readonly string[]
}

/** What was found out so far. */
interface PlanFacts {
  readonly examined: readonly Checkpoint[]
  /** Paths of those that are still being written. */
  readonly changing: ReadonlySet<string>
  /** Names of links that are led elsewhere when what they lead to goes. */
  readonly led: ReadonlySet<string>
}

async function namesOfLinks(storage: ReadStorage, run: Run): Promise<ReadonlySet<string>> {
  const pointerFiles = (await pointerFilesOf(storage, run)).flatMap((one) => one.pointerFiles)
  const links = pointerFiles.filter(({ rule, text }) => text === null && rule.onDelete === 'rewrite')
  return new Set(links.map(({ path }) => relative(run.path, path)))
}

async function makeDraft(
  storage: ReadStorage,
  run: Run,
  request: PruneRequest,
  context: PruneContext,
  { examined, changing, led }: PlanFacts,
): Promise<PruneDraft> {
  const { newcomer, protect = true, verify } = request
  const names = (request.rules ?? []).flatMap((rule) => rule.names)
  const {
    ordered,
    trainings,
    selected: matching,
    unknown,
    warnings,
  } = await arrange(storage, examined, request.query, context.now, names)
  const excluded = exclusions(matching, request)
  const selected = matching.filter((checkpoint) => !excluded.has(checkpoint))
  const pinned = protect ? await pinnedPaths(storage, run, context) : new Map<string, string>()
  const space = await measureSpace(storage, run, ordered, request)
  const ranking = [...namesInOrders(request.query), ...names]
  const known = {
    impossible: impossibleMetrics(ordered),
    unknownKeys: unknownKeys(ranking, ordered).map(({ name }) => name),
  }
  const all = plan({
    checkpoints: ordered,
    ...(trainings.length > 1 ? { newest: new Set(trainings.at(-1)) } : {}),
    policy: toPolicy(request, selected, space, context.now),
    context: { ...context, scopeOf: (checkpoint) => scopeOf(checkpoint, context.now) },
    healthKnown: verify !== 'none',
    led,
    protections: protect ? { ...known, pinned, changing, pointersFollow: request.pointersFollow === true } : null,
  })
  const spared = newcomer === undefined ? sparingOwn(all, ordered, request) : sparing(all, newcomer.path, ordered)
  const chosen = withChoices(spared, ordered, request.byHand ?? new Map(), request.allowEmpty === true)
  return { plan: chosen, excluded, warnings: [...warnings, ...unknown.map(describeUnknownKey)] }
}

/** Throws CkptError `refused` for a space target that is missed although all that may go goes. */
async function refuseUnmet(
  storage: ReadStorage,
  draft: RetentionPlan,
  { asFarAsPossible = false }: PruneRequest,
): Promise<void> {
  if (draft.missingBytes === 0 || asFarAsPossible) return
  const freed = await bytesFreedBy(storage, pathsOf(removedBy(draft)))
  const count = draft.remove.length
  throw new CkptError(
    'refused',
    `the space target cannot be met, so nothing is removed: all that may go (${count} of ${count + draft.keep.length} ` +
      `checkpoints) would free ${formatSize(freed)}, still ${formatSize(draft.missingBytes)} short; ` +
      'everything else is protected or kept by a ranking',
    { hint: 'ask for less, keep fewer, or remove what may go all the same: --as-far-as-possible' },
  )
}

async function finish(
  storage: ReadStorage,
  run: Run,
  draft: PruneDraft,
  proof: Proven | null,
  { onlyAsks = false }: PruneContext,
): Promise<PrunePlan> {
  const { plan: final, warnings } = draft
  const fingerprints: Fingerprints = onlyAsks ? new Map() : await fingerprint(storage, removedBy(final))
  const { bytes: freedBytes, shared } = await freedBy(storage, pathsOf(removedBy(final)))
  const keep = keptOf(draft)
  const keptBytes = await bytesOf(
    storage,
    keep.map(({ checkpoint }) => checkpoint),
  )
  const parting = { going: removedBy(final), stays: keep.map(({ checkpoint }) => checkpoint) }
  const pointers = (await planPointerChanges(storage, run, parting)).map(toPointed)
  const told = [...warnings, ...describeStillNamed(parting.going)]
  return { ...final, keep, fingerprints, freedBytes, shared, keptBytes, warnings: told, pointers, proof }
}

function keptOf({ plan: { keep }, excluded }: PruneDraft): Kept[] {
  return keep.map((kept) => withExclusion(kept, excluded.get(kept.checkpoint)))
}

/** A checkpoint that jobs do not start from stays and does not count towards --keep, as a damaged one. */
async function sparingSetAside(
  storage: ReadStorage,
  run: Run,
  request: PruneRequest,
  stateLocation: StateLocation,
): Promise<PruneRequest> {
  if (request.protect === false) return request
  const reasons = new Map([
    ...(await setAsideReasons(storage, run, stateLocation)),
    ...(await halfElsewhere(storage, run, stateLocation)),
  ])
  const ifDamaged = request.removeDamaged === true ? await perhapsDemoted(storage, run, stateLocation) : noReasons
  if (reasons.size + ifDamaged.size === 0) return request
  const reasonFor = (one: Checkpoint) => reasons.get(one.name) ?? (isSound(one) ? null : ifDamaged.get(one.name))
  return { ...request, isExcluded: (one) => reasonFor(one) ?? request.isExcluded?.(one) ?? null }
}

const noReasons: ReadonlyMap<string, string> = new Map()

/** By name, why what looks damaged must stay: a record that would explain what it lacks cannot be read, or is not trusted. */
async function perhapsDemoted(
  storage: ReadStorage,
  run: Run,
  { stateDirectory }: StateLocation,
): Promise<ReadonlyMap<string, string>> {
  const state = await stateFolderOf(storage, run.path, stateDirectory)
  const names = run.checkpoints.map(({ name }) => name)
  const unread = await unreadRecordsOf(storage, run.path, state, names)
  return new Map(
    [...unread].map(([name, { folder, isTrusted }]): [string, string] => [
      name,
      `perhaps ckpt itself took what it lacks: the record in ${folder} ${isTrusted ? 'cannot be read' : 'is not trusted'}`,
    ]),
  )
}

/** Notes by path, of pins that have not ended. A file of pins that cannot be read throws: what is pinned must not go for that. */
export async function pinnedPaths(
  storage: ReadStorage,
  run: Run,
  context: StateLocation & { readonly now: number },
): Promise<Map<string, string>> {
  const pins = await pinsOf(storage, run, context)
  return new Map(
    run.checkpoints.flatMap(({ name, path }): [string, string][] => {
      const pin = pins.get(name)
      if (pin === undefined) return []
      if (isInForce(pin, context.now)) return [[path, pin.note]]
      storage.custody.warn(`the pin of ${name} has ended${endText(pin)}: it protects no more`)
      return []
    }),
  )
}

function endText({ until }: Pin): string {
  return until === undefined ? '' : ` (${new Date(until * 1000).toISOString()})`
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

/** What a start brought is never all removed after it, whatever older ones a policy finds better. */
function sparingOwn(
  all: RetentionPlan,
  ordered: readonly Checkpoint[],
  { ownStart = [] }: PruneRequest,
): RetentionPlan {
  const own = ordered.filter(({ name }) => ownStart.includes(name))
  const going = new Set(removedBy(all))
  const [newest] = own
  return newest !== undefined && own.every((one) => going.has(one)) ? sparing(all, newest.path, ordered) : all
}

/** The same plan, but for the checkpoint at that path, which stays. `ordered` is newest first. */
function sparing(all: RetentionPlan, path: string, ordered: readonly Checkpoint[]): RetentionPlan {
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
  const sizeOf = await measureFreed(storage, checkpoints)
  if (minFree === undefined) return { maxTotal, sizeOf }
  const [space] = await storage.space([run.path])
  if (space?.ok !== true)
    throw space?.error ?? new CkptError('system', `${run.path}: its file system does not say how much space is free`)
  const { total, free } = space.value
  const bytes = 'share' in minFree ? Math.ceil(minFree.share * total) : minFree.bytes
  return { maxTotal, minFree: { bytes, free }, sizeOf }
}

function narrowing({ where, training = 'all' }: Query): string {
  const flags = [...(where.length > 0 ? ['--where'] : []), ...(training === 'all' ? [] : [`--training ${training}`])]
  return flags.length === 0 ? '--where' : flags.join(' and ')
}

function isNarrowed({ where, training = 'all' }: Query): boolean {
  return where.length > 0 || training !== 'all'
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
    narrowedBy: narrowing(query),
    selected: !isNarrowed(query) && isExcluded === undefined ? undefined : new Set(selected),
    rules: rules ?? [],
    olderThan,
    space,
    removeDamaged,
    allowEmpty,
  }
}

function removedBy({ remove }: RetentionPlan): Checkpoint[] {
  return remove.map(({ checkpoint }) => checkpoint)
}

export async function findChanging(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  context: PruneContext,
): Promise<ReadonlySet<string>> {
  const settled = await markStillWritten(storage, checkpoints, context)
  const moved = settled.filter((checkpoint, index) => checkpoint !== checkpoints[index] && !isSound(checkpoint))
  return new Set(moved.map((checkpoint) => checkpoint.path))
}

/** What was asked for, as it could be typed. */
export function describePolicy({ query, keep, noKeepRecent, rules = [], ...more }: PruneRequest): string {
  const { olderThan, maxTotal, minFree, removeDamaged, protect } = more
  const free = minFree === undefined ? [] : ['share' in minFree ? `${minFree.share * 100}%` : `${minFree.bytes}B`]
  return [
    ...(keep === undefined ? [] : [`--keep ${keep}`]),
    ...(noKeepRecent === true ? ['--no-keep-recent'] : []),
    ...query.orders.map(describeOrder),
    ...query.where.map(({ text }) => `--where ${quoteWord(text)}`),
    ...rules.map(({ label }) => label),
    ...(olderThan === undefined ? [] : [`--older-than ${olderThan}s`]),
    ...(maxTotal === undefined ? [] : [`--max-total ${maxTotal}B`]),
    ...free.map((amount) => `--min-free ${amount}`),
    ...(removeDamaged === true ? ['--remove-damaged'] : []),
    ...(protect === false ? ['--no-protect'] : []),
  ].join(' ')
}
