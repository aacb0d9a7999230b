/** The plans of a prune of many runs: made for all runs below a folder, or taken up again from a file. */
import { describeStay } from '../../changes/disposal/index.js'
import type { WalkOptions } from '../../checkpoints/layouts/index.js'
import type { Run } from '../../checkpoint.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { StateLocation } from '../opening/run-with-state.js'
import { eachRun, openRunAt, searchRuns } from '../opening/open-run.js'
import { applyPlan } from './apply-plan-file.js'
import type { WrittenPlan } from './plan-file.js'
import { planEach, planWritten, toWritten, type ManyPlans, type PlannedRun, type RunPlanner } from './prune-many.js'
import { planPrune, type PruneContext, type PruneRequest } from './prune.js'
import { keptAcross, requestAcross } from './rank-across.js'

export interface RunsPlanning extends Pick<RunPlanner, 'whyAlone'> {
  /** What a plan of this run goes by; asked for each run, under no lock. */
  readonly contextOf: (run: Run) => Promise<PruneContext>
}

export interface PlanningBelow extends RunsPlanning {
  /** The policy of one of the runs, or of the folder, by its path. */
  readonly requestFor: (path: string) => Promise<PruneRequest>
  /** The checkpoints of all runs are ranked together, by the folder's policy. */
  readonly isAcross: boolean
  readonly walking: StateLocation & WalkOptions
  /** Unix seconds. */
  readonly now: number
}

/** One run's plan, and the same as it is carried out. Throws as `planPrune` does. */
export async function planRun(
  storage: ReadStorage,
  run: Run,
  request: PruneRequest,
  context: PruneContext,
): Promise<Omit<PlannedRun, 'run'>> {
  const plan = await planPrune(storage, run, request, context)
  const { protect = true, allowEmpty = false, proves = false } = request
  return { plan, written: toWritten(run.path, plan, { created: context.now, protect, allowEmpty, proves }) }
}

/** Throws CkptError `interrupted`, and what `keptAcross` does; what fails of one run leaves that run alone. */
export async function planBelow(storage: ReadStorage, root: string, planning: PlanningBelow): Promise<ManyPlans> {
  const { requestFor, isAcross, walking, contextOf, whyAlone } = planning
  const request = isAcross ? await requestAcrossAll(storage, root, planning) : null
  const runs = request?.runs ?? eachRun(storage, root, walking)
  return planEach(runs, {
    plan: async (run, reading) =>
      planRun(reading, run, request?.ofEach ?? (await requestFor(run.path)), await contextOf(run)),
    whyAlone,
  })
}

async function requestAcrossAll(storage: ReadStorage, root: string, { requestFor, walking, now }: PlanningBelow) {
  const { runs, storage: reading } = await searchRuns(storage, root, walking)
  const request = await requestFor(root)
  const kept = await keptAcross(reading, runs, request, now)
  return { runs: runs.map((run) => ({ run, storage: reading })), ofEach: requestAcross(request, kept) }
}

/**
 * What of written plans can still be done. `onRefused` is called for each run of which something was planned that stays
 * now; the plan's warnings tell what.
 */
export async function planAgain(
  storage: ReadStorage,
  written: readonly WrittenPlan[],
  { contextOf, whyAlone }: RunsPlanning,
  { onRefused, ...location }: StateLocation & { readonly onRefused: () => void },
): Promise<ManyPlans> {
  return planWritten(written, {
    open: async (one) => {
      const run = await openRunAt(storage, one.run, location)
      const { plan, going } = await applyPlan(storage, run, one, await contextOf(run))
      if (going.refused.length > 0) onRefused()
      return { run, plan: { ...plan, warnings: [...plan.warnings, ...going.refused.map(describeStay)] } }
    },
    whyAlone,
  })
}
