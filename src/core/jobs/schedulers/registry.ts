/** All batch systems that are known, and the job of one that this process runs in. */
import { schedulersByCommand } from './by-command.js'
import type { AskScheduler, Environment, JobEnding, Scheduler, SchedulerJob } from './scheduler.js'
import { slurm } from './slurm.js'

const schedulers: readonly Scheduler[] = [slurm, ...schedulersByCommand]

/** The job that this process belongs to, with its scheduler to be asked. */
export interface BatchSystem {
  /** For people: `Slurm`. */
  readonly title: string
  readonly job: SchedulerJob
  /** As `Scheduler.whyEnding`. */
  whyEnding(): Promise<JobEnding | null>
  /** Puts the job back into the queue; false when that could not be. */
  requeue(): Promise<boolean>
}

/** Null outside of every batch system. Nothing is asked there. */
export async function schedulerOf(environment: Environment, ask: AskScheduler): Promise<BatchSystem | null> {
  for (const scheduler of schedulers) {
    const job = await scheduler.detect(environment, ask)
    if (job !== null) return systemOf(scheduler, job, ask)
  }
  return null
}

function systemOf(scheduler: Scheduler, job: SchedulerJob, ask: AskScheduler): BatchSystem {
  return {
    title: scheduler.title,
    job,
    whyEnding: () => scheduler.whyEnding(job, ask),
    requeue: async () => job.requeue !== null && (await ask(job.requeue)) !== null,
  }
}
