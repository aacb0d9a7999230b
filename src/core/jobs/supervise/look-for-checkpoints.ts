/** When to look for new checkpoints, and what a look finds: seldom where a look takes its time. */
import type { Checkpoint } from '../../checkpoint.js'
import type { Job } from './job-plan.js'
import { CheckpointWatch, type LookOptions } from './watch-checkpoints.js'

/** From the first start to the last end. */
export class CheckpointLooks {
  private readonly watch: CheckpointWatch
  /** Seconds of work, not of waiting. */
  private took = 0

  constructor(
    private readonly job: Job,
    /** Ends a wait. */
    private readonly signal: AbortSignal,
  ) {
    this.watch = new CheckpointWatch(job.storage, job.plan.path, job.plan)
  }

  /** What is there now is not new. */
  begin(): Promise<void> {
    return this.watch.begin()
  }

  /** Seconds until the next look. */
  interval(isUrgent: boolean): number {
    const { least, most } = this.job.plan.interval
    return Math.min(most, isUrgent ? least : Math.max(least, rarely * this.took))
  }

  /** While the job lives. What a look finds amid which it ended (`isOver` aborts) is left for the last one. */
  findLive(isOver: AbortSignal): Promise<readonly Checkpoint[]> {
    return this.find({ thorough: false, hasEnded: () => isOver.aborted })
  }

  /** When nobody is left to write. `cutAt` is in Unix seconds: when the job was cut off, and perhaps a save. */
  findLast(cutAt: number | null = null): Promise<readonly Checkpoint[]> {
    return this.find({ thorough: true, cutAt })
  }

  private async find(options: Omit<LookOptions, 'now' | 'wait'>): Promise<readonly Checkpoint[]> {
    const { machine } = this.job
    const began = machine.now()
    let waited = 0
    const wait = async (milliseconds: number) => {
      if (options.thorough) return
      const before = machine.now()
      await machine.sleep(milliseconds, this.signal)
      waited += machine.now() - before
    }
    const found = await this.watch.look({ ...options, now: began, wait })
    this.took = machine.now() - began - waited
    return found
  }
}

/** Wait 50 times as long as the last look took. */
const rarely = 50
