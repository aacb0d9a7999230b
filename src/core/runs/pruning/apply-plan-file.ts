/** A written plan against the run as it is now. */
import { join } from 'node:path'
import type { Checkpoint, Run } from '../../checkpoint.js'
import {
  freedBy,
  lookAgain,
  pathsOf,
  whyFailed,
  type Fingerprint,
  type Fingerprints,
  type RemovalFailure,
} from '../../changes/disposal/index.js'
import { CkptError, isAbsence } from '../../errors.js'
import type { HealthOptions } from '../../checkpoints/health/index.js'
import { protect } from '../../choosing/retention/index.js'
import { readProven, stateFolderOf, type Proven } from '../../changes/state/index.js'
import { isSound, isUnreadable } from '../../checkpoint.js'
import { impossibleMetrics } from '../../choosing/selection/index.js'
import type { ReadStorage, Result } from '../../storage/storage.js'
import { bytesOf } from './disk-use.js'
import { planPointerChanges, toPointed } from './update-pointers.js'
import { arrange } from '../opening/rank-and-filter.js'
import type { Intent } from './prune-intent.js'
import { examine } from '../opening/open-run.js'
import type { WrittenPlan } from './plan-file.js'
import { PlanChecks } from './plan-checks.js'
import { findChanging, pinnedPaths, type PruneContext, type PrunePlan } from './prune.js'

/**
 * What of the plan can be done: its checkpoints that are still there, are what they were, and that nothing protects
 * now. What is gone already counts as removed, and is reported; the others stay, with the reason. The newest that stays is read to its last byte, as for a plan made now, but
 * for `context.proof`, which was read a moment ago. Throws CkptError `refused` when nothing would be left although the
 * plan kept something.
 */
export async function applyPlan(
  storage: ReadStorage,
  run: Run,
  plan: WrittenPlan,
  context: PruneContext & HealthOptions & { readonly proof?: Proven | null },
): Promise<Intent> {
  const level = plan.protect ? 'quick' : 'none'
  const examined = await examine(storage, run.checkpoints, run.checkpoints, level, context)
  const arranged = await arrange(storage, examined, { orders: [], where: [] }, context.now)
  const fingerprints = new Map(
    plan.remove.map(({ name, fingerprint }): [string, Result<Fingerprint>] => [name, { ok: true, value: fingerprint }]),
  )
  const reasons = new Map(plan.remove.map(({ name, reason }) => [name, reason]))
  const checks = await checksOf(storage, run, plan, context)
  for (let ordered = arranged.ordered; ;) {
    const { going, refused, gone } = await sortOut(storage, run, ordered, plan, fingerprints, context)
    const parts = partition(ordered, going, reasons)
    const news = await checks.at({ ...parts, missingBytes: 0 }, ordered)
    if (news !== null) {
      ordered = ordered.map((checkpoint) => news.get(checkpoint.path) ?? checkpoint)
      continue
    }
    const stays = parts.keep.map(({ checkpoint }) => checkpoint)
    const { bytes: freedBytes, shared } = await freedBy(storage, pathsOf(going))
    return {
      plan: {
        ...parts,
        pointers: (await planPointerChanges(storage, run, { going, stays })).map(toPointed),
        missingBytes: 0,
        fingerprints,
        freedBytes,
        shared,
        keptBytes: await bytesOf(storage, stays),
        warnings: gone.map((name) => `${name} is gone already: it counts as removed`),
        proof: checks.proof,
      },
      going: { checkpoints: going, stays, fingerprints, reasons, proof: checks.proof, refused },
    }
  }
}

/** What becomes of a plan's checkpoints. */
interface SortedOut {
  readonly going: readonly Checkpoint[]
  readonly refused: readonly RemovalFailure[]
  /** Names: the framework itself has removed them, or another ckpt. */
  readonly gone: readonly string[]
}

/** Which of the plan's go, and which stay and why, by what is known of all of them now. */
async function sortOut(
  storage: ReadStorage,
  run: Run,
  ordered: readonly Checkpoint[],
  plan: WrittenPlan,
  fingerprints: Fingerprints,
  context: PruneContext,
): Promise<SortedOut> {
  const byName = new Map(ordered.map((checkpoint) => [checkpoint.name, checkpoint]))
  const refused: RemovalFailure[] = []
  const going: Checkpoint[] = []
  const shields = plan.protect ? await shieldsOf(storage, run, ordered, plan, context) : new Map<string, string>()
  const unknown = plan.remove.map(({ name }) => name).filter((name) => !byName.has(name))
  const isGone = await absentOf(storage, run, unknown)
  for (const { name } of plan.remove) {
    const checkpoint = byName.get(name)
    const shield = shields.get(name)
    if (isGone.has(name)) continue
    if (checkpoint === undefined) refused.push({ name, error: noCheckpoint(name) })
    else if (shield !== undefined) refused.push({ name, error: shielded(name, shield) })
    else if (isUnreadable(checkpoint)) refused.push({ name, error: shielded(name, describeFindings(checkpoint)) })
    else {
      // It is looked at again just before it goes.
      const error = await whyFailed(() => lookAgain(storage, checkpoint, fingerprints))
      if (error === null) going.push(checkpoint)
      else refused.push({ name, error })
    }
  }
  if (going.length > 0 && going.length === run.checkpoints.length && !plan.allowEmpty) {
    throw new CkptError('refused', `this would remove all ${going.length} checkpoints that there are now`, {
      hint: 'what the plan kept is gone: make a new plan',
    })
  }
  return { going, refused, gone: [...isGone] }
}

/** Those of which not even the name is there. */
async function absentOf(storage: ReadStorage, run: Run, names: readonly string[]): Promise<ReadonlySet<string>> {
  const stats = await storage.lstat(names.map((name) => join(run.path, name)))
  return new Set(
    names.filter((_, index) => {
      const stat = stats[index]
      return stat?.ok === false && isAbsence(stat.error.errno)
    }),
  )
}

/** What must be known before the first goes, as of a plan that is made now. */
async function checksOf(
  storage: ReadStorage,
  run: Run,
  { protect, proves }: WrittenPlan,
  context: Parameters<typeof applyPlan>[3],
): Promise<PlanChecks> {
  const state = await stateFolderOf(storage, run.path, context.stateDirectory)
  const { proof, writers } = context
  const proven = proves ? new Map(await readProven(storage, state)) : null
  if (proof !== undefined && proof !== null) proven?.set(proof.name, proof)
  // What is still being written is among the shields already.
  return new PlanChecks(storage, {
    ...context,
    isUnread: !protect,
    protects: false,
    proven,
    newcomer: undefined,
    writers,
  })
}

function describeFindings({ health }: Checkpoint): string {
  return health.findings.map(({ file, reason }) => (file === undefined ? reason : `${file}: ${reason}`)).join('; ')
}

function partition(
  checkpoints: readonly Checkpoint[],
  going: readonly Checkpoint[],
  reasons: ReadonlyMap<string, string>,
): Pick<PrunePlan, 'keep' | 'remove'> {
  const gone = new Set(going)
  return {
    keep: checkpoints
      .filter((checkpoint) => !gone.has(checkpoint))
      .map((checkpoint) => ({ checkpoint, reasons: [{ code: 'unselected', text: 'the plan does not remove it' }] })),
    remove: going.map((checkpoint) => ({
      checkpoint,
      reason: { code: 'selected', text: reasons.get(checkpoint.name) ?? 'planned' },
    })),
  }
}

/** By name, why a checkpoint of the plan must stay now. */
async function shieldsOf(
  storage: ReadStorage,
  run: Run,
  ordered: readonly Checkpoint[],
  plan: WrittenPlan,
  context: PruneContext,
): Promise<Map<string, string>> {
  const names = new Set(plan.remove.map(({ name }) => name))
  const changing = await findChanging(
    storage,
    ordered.filter(({ name }) => names.has(name)),
    context,
  )
  const pinned = await pinnedPaths(storage, run, context)
  const shields = protect(ordered, isSound, { pinned, impossible: impossibleMetrics(ordered), changing })
  return new Map([...shields].map(([{ name }, reasons]) => [name, reasons.map(({ text }) => text).join('; ')]))
}

function noCheckpoint(name: string): CkptError {
  return new CkptError('refused', `${name}: no longer a checkpoint`, { hint: 'nothing was removed under that name' })
}

function shielded(name: string, why: string): CkptError {
  return new CkptError('refused', `${name}: protected since the plan was made: ${why}`, { hint: 'make a new plan' })
}
