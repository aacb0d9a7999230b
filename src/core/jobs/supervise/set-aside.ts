/** Checkpoints from which several starts made no progress: passed over, until it shows that they were not the cause. */
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { BatchJob } from './batch-job.js'
import type { Job } from './job-plan.js'
import { startsWithoutProgress } from './starts-without-progress.js'

/** From the first start to the last end. */
export class SetAside {
  /** Since the last progress. */
  private checkpoints: Checkpoint[] = []
  private readonly began: number

  constructor(
    private readonly job: Job,
    private readonly batch: BatchJob | null,
  ) {
    this.began = job.machine.now()
  }

  get names(): string[] {
    return this.checkpoints.map(({ name }) => name)
  }

  clear(): void {
    this.checkpoints = []
  }

  /**
   * After several starts without progress the checkpoint itself may be the cause, if there is one before it:
   * `isThereAnother` rejects with a CkptError where there is none.
   */
  async reconsider(checkpoint: Checkpoint, isThereAnother: () => Promise<unknown>): Promise<void> {
    const { journal, plan, machine, chores } = this.job
    const own = this.batch?.name ?? null
    const starts = startsWithoutProgress(journal.entries, checkpoint.name, ({ start }) =>
      own === null ? start.time >= this.began : start.job?.id === own.id,
    )
    if (starts < plan.setAsideAfter) return
    this.checkpoints.push(checkpoint)
    try {
      await isThereAnother()
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.checkpoints.pop()
      return
    }
    machine.tell(`${checkpoint.name} is set aside: ${starts} starts from it saved no new checkpoint`)
    await journal.add({ what: 'set-aside', time: machine.now(), checkpoint: checkpoint.name })
    await chores.setAside(checkpoint, starts)
  }

  /** The one before made no progress either: then it was not the checkpoint. */
  async takeBack(): Promise<void> {
    const { machine, journal, chores } = this.job
    if (this.checkpoints.length === 0) return
    const time = machine.now()
    for (const { name } of this.checkpoints) await journal.add({ what: 'taken-back', time, checkpoint: name })
    await chores.takeBack(this.checkpoints)
  }
}
