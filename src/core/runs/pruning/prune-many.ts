/** A prune of many runs: each by itself, planned first and carried out later; one run's failure never stops the others. */
import { timeOf, type Run } from '../../checkpoint.js'
import type { WalkedRun } from '../../checkpoints/layouts/index.js'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { CarriedOut } from './carry-out-prune.js'
import type { WrittenPlan } from './plan-file.js'
import type { PrunePlan } from './prune.js'

export interface PlannedRun {
  readonly run: Run
  readonly plan: PrunePlan
  /** The same as it is carried out: what has changed until then stays. */
  readonly written: WrittenPlan
}

/** A run of which nothing goes, and why. */
export interface LeftAlone {
  /** Absolute path. */
  readonly run: string
  readonly reason: string
}

export interface ManyPlans {
  readonly planned: readonly PlannedRun[]
  readonly leftAlone: readonly LeftAlone[]
}

/**
 * How one run is planned, null where it is none of those that are meant; `whyAlone` is asked only where something would
 * go, and gives null where it may.
 */
export interface RunPlanner {
  readonly plan: (run: Run, storage: ReadStorage) => Promise<Omit<PlannedRun, 'run'> | null>
  readonly whyAlone: (run: Run, plan: PrunePlan) => Promise<string | null>
}

/** Throws CkptError `interrupted` alone. */
export async function planEach(
  runs: AsyncIterable<WalkedRun> | Iterable<WalkedRun>,
  { plan, whyAlone }: RunPlanner,
): Promise<ManyPlans> {
  const planned: PlannedRun[] = []
  const leftAlone: LeftAlone[] = []
  for await (const { run, storage } of runs) {
    await attempt(run.path, leftAlone, async () => {
      const made = await plan(run, storage)
      if (made !== null) await sortIn({ planned, leftAlone }, { run, ...made }, whyAlone)
    })
  }
  return { planned, leftAlone }
}

/** The same from a written plan: what of it can still be done, asked run by run. */
export async function planWritten(
  written: readonly WrittenPlan[],
  {
    open,
    whyAlone,
  }: {
    readonly open: (one: WrittenPlan) => Promise<{ readonly run: Run; readonly plan: PrunePlan }>
    readonly whyAlone: RunPlanner['whyAlone']
  },
): Promise<ManyPlans> {
  const planned: PlannedRun[] = []
  const leftAlone: LeftAlone[] = []
  for (const one of written) {
    await attempt(one.run, leftAlone, async () => {
      await sortIn({ planned, leftAlone }, { ...(await open(one)), written: one }, whyAlone)
    })
  }
  return { planned, leftAlone }
}

async function sortIn(
  { planned, leftAlone }: { readonly planned: PlannedRun[]; readonly leftAlone: LeftAlone[] },
  one: PlannedRun,
  whyAlone: RunPlanner['whyAlone'],
): Promise<void> {
  const { run, plan } = one
  const reason = plan.remove.length === 0 ? null : await whyAlone(run, plan)
  if (reason === null) planned.push(one)
  else leftAlone.push({ run: run.path, reason })
}

export interface DoneRun {
  readonly run: Run
  readonly removal: CarriedOut
}

/** Those of which something goes, one after the other. Throws CkptError `interrupted` alone. */
export async function applyEach(
  planned: readonly PlannedRun[],
  apply: (one: PlannedRun) => Promise<CarriedOut>,
): Promise<{ readonly done: readonly DoneRun[]; readonly leftAlone: readonly LeftAlone[] }> {
  const done: DoneRun[] = []
  const leftAlone: LeftAlone[] = []
  for (const one of planned) {
    if (one.plan.remove.length === 0) continue
    await attempt(one.run.path, leftAlone, async () => {
      done.push({ run: one.run, removal: await apply(one) })
    })
  }
  return { done, leftAlone }
}

async function attempt(run: string, leftAlone: LeftAlone[], work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
    leftAlone.push({ run, reason: error.message })
  }
}

/** The plan as it is carried out: an entry that could not be looked at does not go. */
export function toWritten(
  run: string,
  plan: PrunePlan,
  choices: Pick<WrittenPlan, 'created' | 'protect' | 'allowEmpty' | 'proves'>,
): WrittenPlan {
  const remove = plan.remove.flatMap(({ checkpoint, reason }) => {
    const print = plan.fingerprints.get(checkpoint.name)
    return print?.ok === true ? [{ name: checkpoint.name, reason: reason.text, fingerprint: print.value }] : []
  })
  return { run, ...choices, policy: '', remove }
}

/** True when the run is somebody else's: of another user than the one who runs ckpt. */
export async function isOthers(storage: ReadStorage, run: string): Promise<boolean> {
  const { user } = storage.custody
  const [stat] = await storage.stat([run])
  return user !== null && stat?.ok === true && stat.value.owner !== user
}

/** Unix seconds of the last write to a checkpoint of the plan; null where that is not known. */
export function lastWrite({ keep, remove }: PrunePlan): number | null {
  const times = [...keep, ...remove].flatMap(({ checkpoint }) => {
    const time = checkpoint.modified ?? timeOf(checkpoint)
    return time === null ? [] : [time]
  })
  return times.length === 0 ? null : times.reduce((latest, time) => Math.max(latest, time))
}
