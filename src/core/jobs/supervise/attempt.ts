/** One start of the job, from its first process to the end of its last, and what is done while it runs. */
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { ChildEnd } from '../command/index.js'
import type { Cause } from './classify.js'
import type { RunningJob } from './running-job.js'
import type { Machine } from './machine.js'

/** What looks after the job while it runs. Each is asked in turn, every few seconds. */
export interface Watchers {
  /** New whole checkpoints since the last look. `end`: how the job ended, null while there is somebody to write. */
  readonly findNew: (end: ChildEnd | null) => Promise<readonly Checkpoint[]>
  /** Called for each; answers why the job is to end now, or null. */
  readonly onCheckpoint: (checkpoint: Checkpoint) => Promise<Cause | null>
  /** Whatever else may end the job: it hangs, somebody asked, its time is over. */
  readonly findCause: (uptime: number) => Promise<Cause | null>
}

export interface AttemptOptions {
  /** Seconds until the next look. */
  readonly interval: (uptime: number) => number
  /** How the job is asked to end for each cause. */
  readonly end: (cause: Cause, job: RunningJob) => Promise<void>
}

export interface AttemptResult {
  readonly end: ChildEnd
  readonly cause: Cause | null
  /** Seconds. */
  readonly uptime: number
  /** Unix seconds. */
  readonly endedAt: number
  /** Those that appeared, oldest first. */
  readonly checkpoints: readonly Checkpoint[]
}

export class Attempt {
  private readonly over = new AbortController()
  private readonly started: number
  private endedAt: number
  private readonly found: Checkpoint[] = []
  private cause: Cause | null = null

  constructor(
    private readonly machine: Machine,
    private readonly job: RunningJob,
    private readonly watchers: Watchers,
    private readonly options: AttemptOptions,
  ) {
    this.started = machine.now()
    this.endedAt = this.started
    void job.process.ended.then(() => {
      this.endedAt = machine.now()
      this.over.abort()
    })
  }

  /** To its end. */
  async run(): Promise<AttemptResult> {
    while (!this.isOver()) {
      await this.machine.sleep(this.options.interval(this.uptime) * 1000, this.over.signal)
      if (!this.isOver()) await this.look()
    }
    const end = await this.job.process.ended
    await this.take(end)
    const { cause, started, endedAt, found: checkpoints } = this
    return { end, cause, uptime: endedAt - started, endedAt, checkpoints }
  }

  /** The first cause counts: later ones follow from it. */
  async finish(cause: Cause): Promise<void> {
    if (this.cause !== null || this.isOver()) return
    this.cause = cause
    await this.options.end(cause, this.job)
  }

  /** A cause that somebody else has acted on: a signal that the job has already. */
  note(cause: Cause): void {
    this.cause ??= cause
  }

  private isOver(): boolean {
    return this.over.signal.aborted
  }

  private get uptime(): number {
    return this.machine.now() - this.started
  }

  private async look(): Promise<void> {
    await this.take(null)
    const cause = await this.watchers.findCause(this.uptime)
    if (cause !== null) await this.finish(cause)
  }

  /** A run that cannot be read for a moment ends no job. */
  private async take(end: ChildEnd | null): Promise<void> {
    try {
      for (const checkpoint of await this.watchers.findNew(end)) {
        this.found.push(checkpoint)
        const cause = await this.watchers.onCheckpoint(checkpoint)
        if (cause !== null) await this.finish(cause)
      }
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.machine.tell(`cannot look for checkpoints: ${error.message}`)
    }
  }
}
