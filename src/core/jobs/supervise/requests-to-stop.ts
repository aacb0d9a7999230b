/** Who asks a job and its ckpt to stop: signals, the batch system before its time limit, and `ckpt stop`. */
import type { SignalName } from '../command/index.js'
import type { Attempt } from './attempt.js'
import type { BatchJob } from './batch-job.js'
import { inSeconds } from './in-seconds.js'
import type { Hurry, Job } from './job-plan.js'
import type { RunningJob } from './running-job.js'
import { SignalRelay } from './signal-relay.js'

/** From the first start to the last end. */
export class RequestsToStop {
  private readonly signals: SignalRelay
  /** Aborts when the batch system says that the time limit is near. */
  private readonly warned = new AbortController()
  /** Unix seconds; before that every checkpoint is as good as another. */
  warnedAt = -Infinity
  private attempt: Attempt | null = null

  constructor(
    private readonly job: Job,
    private readonly batch: BatchJob | null,
  ) {
    this.signals = new SignalRelay(job.machine.signals, (signal) => this.isWarning(signal), job.machine.tell)
  }

  /** Signals do again what they do without ckpt. */
  release(): void {
    this.signals.release()
  }

  hold(running: RunningJob): void {
    this.signals.hold(running)
  }

  drop(running: RunningJob): void {
    this.signals.drop(running)
  }

  /** Aborts with the first signal that ends it all. */
  get signal(): AbortSignal {
    return this.signals.signal
  }

  get isWarned(): boolean {
    return this.warned.signal.aborted
  }

  /** Runs the attempt, which hears of each request until it has ended. */
  async during<T>(attempt: Attempt, run: () => Promise<T>): Promise<T> {
    this.attempt = attempt
    if (this.isWarned) void attempt.finish({ kind: 'warning', signal: this.job.plan.warning ?? 'SIGUSR1' })
    const note = () => {
      attempt.note({ kind: 'signal', signal: this.signals.endedBy ?? 'SIGTERM' })
      // Its command may need all the time that is left between SIGTERM and SIGKILL.
      if (this.job.plan.limits['timed-out'] > 0) void this.batch?.requeueIfOver()
    }
    if (this.signal.aborted) note()
    this.signal.addEventListener('abort', note)
    try {
      return await run()
    } finally {
      this.signal.removeEventListener('abort', note)
      this.attempt = null
    }
  }

  /** The batch system's last call is for ckpt: it passes on what makes the job save. */
  private isWarning(signal: SignalName): boolean {
    const { plan, machine } = this.job
    if (this.batch === null || signal !== plan.warning) return false
    const { timeLeft } = this.batch
    const left = timeLeft === null ? '' : ` (in ${inSeconds(timeLeft)})`
    if (!this.isWarned) {
      this.warnedAt = machine.now()
      machine.tell(`${signal}: the time limit is near${left}`)
    }
    this.warned.abort()
    void this.attempt?.finish({ kind: 'warning', signal })
    return true
  }

  /** Gives why there is to be no other start; null after that many seconds, or at the time limit's warning. */
  async waitToRestart(seconds: number): Promise<string | null> {
    const { machine, chores, plan } = this.job
    const end = machine.now() + seconds
    for (;;) {
      if (this.signals.endedBy !== null) return this.signals.endedBy
      if ((await chores.stopAsked()) === 'now') return 'ckpt stop'
      const left = end - machine.now()
      if (left <= 0 || this.isWarned) return null
      await machine.sleep(Math.min(left, plan.interval.least) * 1000, this.anyRequest())
    }
  }

  get hurry(): Hurry {
    const left = (this.batch?.timeLeft ?? Infinity) - lastMoments
    return { signal: this.anyRequest(), seconds: Math.max(1, Math.min(this.job.plan.grace, left)) }
  }

  private anyRequest(): AbortSignal {
    return AbortSignal.any([this.signal, this.warned.signal])
  }
}

/** Seconds that a batch system takes to end a job that it has put back into the queue. */
export const lastMoments = 5
