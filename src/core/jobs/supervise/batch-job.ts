/** The scheduler's job that all attempts belong to: why it ends, and the one requeue that it may be asked for. */
import type { JobName, Journal } from '../../changes/journal/index.js'
import type { BatchSystem, JobEnding } from '../schedulers/index.js'
import type { Machine } from './machine.js'

export class BatchJob {
  private ending: JobEnding | null = null
  private requeued: Promise<boolean> | null = null

  constructor(
    private readonly system: BatchSystem,
    private readonly journal: Journal,
    private readonly machine: Pick<Machine, 'now' | 'tell'>,
  ) {}

  get title(): string {
    return this.system.title
  }

  get name(): JobName {
    const { scheduler, id, restarts } = this.system.job
    return { scheduler, id, restarts: restarts ?? 0 }
  }

  /** Its place is in a chain, or it was put back into the queue: the work may be done already. */
  get continues(): boolean {
    const { isChained, restarts } = this.system.job
    return isChained || (restarts ?? 0) > 0
  }

  /** Seconds until the time limit; null where there is none. */
  get timeLeft(): number | null {
    const { endsAt } = this.system.job
    return endsAt === null ? null : Math.max(0, endsAt - this.machine.now())
  }

  /** For people: `Slurm job 4711_3, restart 2, 3600 s left`. */
  describe(): string {
    const { id, restarts } = this.system.job
    const left = this.timeLeft === null ? '' : `, ${Math.round(this.timeLeft)} s left`
    const refusal = this.whyNot === null ? '' : `; ${this.whyNot}`
    return `${this.title} job ${id}${(restarts ?? 0) === 0 ? '' : `, restart ${restarts ?? 0}`}${left}${refusal}`
  }

  /** For people: why the job cannot be put back; null when it can. */
  get whyNot(): string | null {
    const { isLeader, requeueRefusal } = this.system.job
    return isLeader ? requeueRefusal : 'only the first rank of the batch step requeues it'
  }

  /** The first answer counts: what follows from it, a requeue, is another. */
  async whyEnding(): Promise<JobEnding | null> {
    this.ending ??= await this.system.whyEnding()
    return this.ending
  }

  /** Where the job ends for a reason that another start mends. */
  async requeueIfOver(): Promise<void> {
    const ending = await this.whyEnding()
    if (this.whyNot === null && (ending === 'time-limit' || ending === 'preempted')) await this.requeue()
  }

  /** Puts the job back into the queue, once, and not where that has been done already, by whomever. False: it failed. */
  requeue(): Promise<boolean> {
    this.requeued ??= this.requeueOnce()
    return this.requeued
  }

  private async requeueOnce(): Promise<boolean> {
    const { title, name, machine } = this
    if (this.isJournalled()) return true
    // The command itself, another ckpt or the scheduler may have been faster. And what asks belongs to the job: with a
    // success it may be killed before it can tell.
    if (!(await this.isBack()) && !(await this.system.requeue()) && !(await this.isBack())) {
      machine.tell(
        `${title} did not put job ${name.id} back: ${this.system.job.requeue?.join(' ') ?? 'requeue'} failed`,
      )
      return false
    }
    await this.journal.add({ what: 'requeue', time: machine.now(), job: name })
    machine.tell(`${title} job ${name.id} goes back into the queue`)
    return true
  }

  private async isBack(): Promise<boolean> {
    return (await this.system.whyEnding()) === 'requeued'
  }

  private isJournalled(): boolean {
    const { scheduler, id, restarts } = this.system.job
    return this.journal.entries.some(
      (entry) =>
        entry.what === 'requeue' &&
        entry.job.scheduler === scheduler &&
        entry.job.id === id &&
        entry.job.restarts === restarts,
    )
  }
}
