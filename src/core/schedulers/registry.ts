import { schedulersByCommand } from './by-command.js'
import type { AskScheduler, Environment, Scheduler, SchedulerJob } from './scheduler.js'
import { slurm } from './slurm.js'

const schedulers: readonly Scheduler[] = [slurm, ...schedulersByCommand]

/** The job that this process belongs to, and the scheduler to ask about it. */
export interface Placed {
  readonly scheduler: Scheduler
  readonly job: SchedulerJob
}

/** Null outside of every batch system. Nothing is asked there. */
export async function schedulerOf(environment: Environment, ask: AskScheduler): Promise<Placed | null> {
  for (const scheduler of schedulers) {
    const job = await scheduler.detect(environment, ask)
    if (job !== null) return { scheduler, job }
  }
  return null
}
