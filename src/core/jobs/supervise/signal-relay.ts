/** The signals that come to ckpt, on their way to whatever of the job is running. */
import type { SignalName, Signals } from '../command/index.js'
import type { RunningJob } from './running-job.js'

/** These end the job and all that ckpt does for it; the others only pass through. */
const ending: ReadonlySet<SignalName> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'])
const passing: readonly SignalName[] = ['SIGUSR1', 'SIGUSR2']

/** What a terminal sends to the whole foreground group by itself. */
const fromTerminal: ReadonlySet<SignalName> = new Set(['SIGINT', 'SIGQUIT'])

export class SignalRelay {
  private readonly stopped = new AbortController()
  private readonly held = new Set<RunningJob>()
  private readonly stops: readonly (() => void)[]
  private first: SignalName | null = null
  private killed = false

  constructor(
    private readonly signals: Signals,
    /** Called for each signal that ends nothing; true when it was dealt with, and is not to be passed on. */
    private readonly intercept: (signal: SignalName) => boolean,
    private readonly tell: (text: string) => void,
  ) {
    this.stops = [...ending, ...passing].map((signal) => signals.listen(signal, () => this.arrive(signal)))
  }

  /** The signal that ended it all; null while none did. */
  get endedBy(): SignalName | null {
    return this.first
  }

  /** Aborts with the first signal that ends it all. */
  get signal(): AbortSignal {
    return this.stopped.signal
  }

  /** What is running gets the signals from now on. One that ends it all and came before reaches it now. */
  hold(job: RunningJob): void {
    this.held.add(job)
    if (this.killed) job.kill()
    else if (this.first !== null) job.ask(this.first)
  }

  drop(job: RunningJob): void {
    this.held.delete(job)
  }

  /** Signals do again what they do without ckpt. */
  release(): void {
    for (const stop of this.stops) stop()
  }

  private arrive(signal: SignalName): void {
    if (!ending.has(signal)) {
      if (!this.intercept(signal)) for (const job of this.held) this.passOn(job, signal)
      return
    }
    if (this.first !== null && signal === 'SIGINT') {
      this.kill()
      return
    }
    this.first ??= signal
    this.stopped.abort()
    const isFromTerminal = fromTerminal.has(signal) && this.signals.isForeground()
    // One that was started in the background is in a session of its own, though ckpt be in the foreground now.
    for (const job of this.held) job.ask(isFromTerminal && !job.process.isApart ? null : signal)
  }

  /** Where nothing tells who catches it, it reaches all: as it would without ckpt. */
  private passOn(job: RunningJob, signal: SignalName): void {
    if (job.process.remains() === null) job.pass(signal)
    else if (!job.passIfCaught(signal)) {
      this.tell(`no process of the command catches ${signal}, of which it would die: it is not passed on`)
    }
  }

  private kill(): void {
    this.killed = true
    for (const job of this.held) job.kill()
  }
}
