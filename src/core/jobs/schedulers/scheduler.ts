/** What `ckpt run` asks of the batch system that it runs under: one file a system, one line in the registry. */
import type { SignalName } from '../command/run-child.js'

/** The job that this process belongs to, as its environment and the system's commands tell it. */
export interface SchedulerJob {
  /** Id of the scheduler, `slurm`. */
  readonly scheduler: string
  /** As the scheduler's own commands take it, of an array with the task: `4711`, `4711_3`. */
  readonly id: string
  /** Index in a job array; null when it is none. */
  readonly arrayTask: string | null
  /** How often the job was put back into the queue before: 0 the first time; null where the scheduler does not say. */
  readonly restarts: number | null
  /** True in the one process that acts for the job: the first rank, in the batch step. The others run their command. */
  readonly isLeader: boolean
  /** It stands in a chain (`--dependency=afterany`): where the work is done already there is nothing to start. */
  readonly isChained: boolean
  /** Unix seconds at which the time limit ends it; null when there is none, or it is unknown. */
  readonly endsAt: number | null
  /** The signal by which the scheduler says that the end is near; null when it was not asked to. */
  readonly warning: SignalName | null
  /** The command that puts the job back into the queue, as words; null with `requeueRefusal` where that cannot be. */
  readonly requeue: readonly string[] | null
  /** For people: why it cannot be put back; null when it can. */
  readonly requeueRefusal: string | null
}

/** Runs a command of the scheduler to its end; what it printed, or null when it failed or is not there. */
export type AskScheduler = (words: readonly string[]) => Promise<string | null>

export interface Scheduler {
  /** Stands in the journal and in `--json`. */
  readonly id: string
  /** For people. */
  readonly title: string
  /** The job that this environment belongs to; null when it is none of this scheduler's. */
  detect(environment: Environment, ask: AskScheduler): Promise<SchedulerJob | null>
  /** Why the job is coming to its end, as seen from inside of it; null when it is not, or the system does not say. */
  whyEnding(job: SchedulerJob, ask: AskScheduler): Promise<JobEnding | null>
}

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * - `requeued`: it is being put back into the queue, and the one that asked for that (this program, a preemption, an
 *   operator), nobody needs to ask again
 * - `preempted`: another job takes its place; it is not certain that the scheduler will put it back
 * - `time-limit`: its time is over
 * - `cancelled`: somebody wants it gone
 */
export type JobEnding = 'requeued' | 'preempted' | 'time-limit' | 'cancelled'
