/** Shared by the commands that change many runs at once: one plan, carried out run by run under each run's own lock. */
import { removalError } from '../core/changes/disposal/index.js'
import { readJournal } from '../core/changes/journal/index.js'
import { holderOf, stateFolderOf } from '../core/changes/state/index.js'
import type { Run } from '../core/checkpoint.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { jobOfRun, queuedJobs, type QueuedJob } from '../core/jobs/schedulers/index.js'
import {
  applyEach,
  applyPlan,
  carryOut,
  isOthers,
  lastWrite,
  openRun,
  withPlan,
  type CarriedOut,
  type DoneRun,
  type LeftAlone,
  type ManyPlans,
  type PlannedRun,
  type PrunePlan,
  type Writers,
} from '../core/runs/index.js'
import { askScheduler } from '../machine/ask-scheduler.js'
import { utcOffset, wait } from '../machine/clock.js'
import { copyTime } from '../machine/exact-times.js'
import {
  describeLeftAlone,
  type manyDocument,
  renderManyDone,
  renderManyQuestion,
  type ManyView,
} from '../render/prune-many.js'
import { parseAge } from '../core/choosing/retention/index.js'
import { printable } from '../render/printable.js'
import { formatAgo } from '../render/units.js'
import { BaseCommand } from './base-command.js'
import { confirm } from './questions/confirm.js'
import type { Description } from './command-line/described-command.js'
import { writersOf } from './run-writers.js'

/** How a change of many runs was asked for. */
export interface ManyChoices {
  readonly state: string | undefined
  /** As typed: how long to wait for a lock. */
  readonly wait: string
  readonly trash: boolean
  readonly yes: boolean
  /** Other people's runs too. */
  readonly others: boolean
  /** Seconds: a run that was written to in this time is left alone. */
  readonly quietFor: number
}

interface ManyFlags {
  readonly state: string | undefined
  readonly wait: string
  readonly yes: boolean
  readonly others: boolean
  readonly 'quiet-for': string
}

export abstract class ManyRunsCommand<T extends Description> extends BaseCommand<T> {
  /** How this run's policy reads in the journal. */
  protected abstract policyOf(run: string): Promise<string>

  /** Slurm is asked once, and only when something would go. */
  private queue: Promise<readonly QueuedJob[]> | null = null

  /** Why nothing of a run is removed now, in words; null where it may be. `now` is Unix seconds. */
  protected async whyAlone(run: string, plan: PrunePlan, now: number, choices: ManyChoices): Promise<string | null> {
    if (!choices.others && (await isOthers(this.storage, run))) return "it is somebody else's: --others"
    const live = await this.whyLive(run, choices)
    if (live !== null) return live
    const written = lastWrite(plan)
    // A clock that is behind the files' server's sees writes that are still to come: none is asked for with 0s.
    if (written === null || choices.quietFor === 0 || now - written >= choices.quietFor) return null
    return `it was written to ${formatAgo(Math.max(1, now - written))}: --quiet-for`
  }

  private async whyLive(run: string, choices: ManyChoices): Promise<string | null> {
    const state = await stateFolderOf(this.storage, run, choices.state)
    const holder = await holderOf(this.storage, state, this.changing('0s', choices.state))
    if (holder !== null && choices.wait === '0s') return `it is locked: ${holder} is changing it`
    const { job } = await this.writers(run, choices.state)
    if (job !== null) return `a job of it is running, under ${job}`
    this.queue ??= queuedJobs(askScheduler)
    const queue = await this.queue
    if (queue.length === 0) return null
    const { entries } = await readJournal(this.storage, state)
    const known = new Set(entries.flatMap((entry) => ('job' in entry && entry.job !== null ? [entry.job.id] : [])))
    const queued = jobOfRun(queue, run, known)
    return queued === null ? null : `Slurm has job ${queued.id} of it, of ${queued.user}: ${queued.state}`
  }

  protected writers(run: string, state: string | undefined): Promise<Writers> {
    return writersOf(this.storage, run, state, this.changing('0s', state))
  }

  /** Of the flags that such commands have. */
  protected choicesFrom({ state, wait, yes, others, 'quiet-for': quiet }: ManyFlags, trash: boolean): ManyChoices {
    const patience = this.given.has('wait') ? wait : '0s'
    return { state, wait: patience, trash, yes, others, quietFor: parseAge('quiet-for', quiet) }
  }

  /** Asks, does what was agreed to, and answers with what came of it. Throws CkptError `refused`. */
  protected async carryOutMany(
    plans: ManyPlans,
    choices: ManyChoices,
    view: ManyView,
    documentOf: typeof manyDocument,
  ): Promise<void> {
    this.failWith(documentOf(plans, null))
    await this.confirmMany(plans, choices)
    const { done, leftAlone } = await this.applyMany(plans, choices, view)
    this.answer(documentOf({ ...plans, leftAlone }, done), () => renderManyDone(done, choices.trash, this.output))
  }

  /** Asks, unless that was answered before. Throws CkptError `refused`. */
  private async confirmMany({ planned }: ManyPlans, { yes, trash }: ManyChoices): Promise<void> {
    if (yes || (await confirm(renderManyQuestion(planned, trash, this.now()), '--yes'))) return
    throw new CkptError('refused', 'Cancelled; nothing removed.')
  }

  /** Run by run under its lock; what failed is reported, and is in `leftAlone` too. */
  private async applyMany(
    plans: ManyPlans,
    choices: ManyChoices,
    view: ManyView,
  ): Promise<{ readonly done: readonly DoneRun[]; readonly leftAlone: readonly LeftAlone[] }> {
    const { done, leftAlone } = await applyEach(plans.planned, (one) => this.applyOne(one, choices))
    for (const one of leftAlone) this.alert(describeLeftAlone(one, view))
    for (const { run, removal } of done) this.tellFailed(run, removal)
    if (leftAlone.length > 0) process.exitCode = exitStatusOf.partial
    return { done, leftAlone: [...plans.leftAlone, ...leftAlone] }
  }

  private tellFailed({ path }: Run, removal: CarriedOut): void {
    const failure = removalError(removal)
    if (failure === null) return
    this.alert(`${printable(path)}: ${failure.message}`)
    process.exitCode = exitStatusOf.partial
  }

  /** Exactly what was shown, under the run's lock: what has changed since stays, and is reported. */
  private async applyOne({ run: { path }, plan, written }: PlannedRun, choices: ManyChoices): Promise<CarriedOut> {
    const { trash, state: stateDirectory } = choices
    return this.locked(path, { wait: choices.wait, state: stateDirectory }, async () => {
      const run = await openRun(this.storage, path, { stateDirectory })
      const writers = await this.writers(path, stateDirectory)
      return this.long('removing', async (work) => {
        const context = { now: this.now(), wait, utcOffset, writers, stateDirectory, proof: plan.proof, ...work }
        const { going } = await applyPlan(this.storage, run, written, context)
        const by = { self: this.self, policy: withPlan(written.policy, await this.policyOf(path)) }
        const how = { stateDirectory, wait, copyTime, now: this.now(), trash, signal: work.signal, by }
        return carryOut(this.storage, run, { ...going, proof: plan.proof }, how)
      })
    })
  }
}
