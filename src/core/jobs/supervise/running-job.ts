/** A started job, and how it is ended: a signal that asks, time to save, then SIGKILL. */
import type { SignalName } from '../command/index.js'
import { inSeconds } from './in-seconds.js'
import type { JobProcess, Machine } from './machine.js'

export class RunningJob {
  private readonly over = new AbortController()
  private asked = false
  private wasSignalled = false

  constructor(
    readonly process: JobProcess,
    private readonly machine: Pick<Machine, 'sleep' | 'tell'>,
    /** Seconds. */
    private readonly grace: number,
  ) {
    void process.ended.then(() => this.over.abort())
  }

  /** Aborts when the job's first process has ended. */
  get isOver(): AbortSignal {
    return this.over.signal
  }

  /** It was sent a signal: what it does then may be an answer. */
  get hasBeenSignalled(): boolean {
    return this.wasSignalled
  }

  pass(signal: SignalName): void {
    this.wasSignalled = true
    this.process.send(signal)
  }

  /** The same for those that catch it: a program without a handler would die of it. False where none does. */
  passIfCaught(signal: SignalName): boolean {
    const isCaught = this.process.sendIfCaught(signal)
    this.wasSignalled ||= isCaught
    return isCaught
  }

  /** Null: it has been asked in another way, and only the time runs. */
  ask(signal: SignalName | null): void {
    if (signal !== null) this.pass(signal)
    if (this.asked) return
    this.asked = true
    void this.killAfterGrace()
  }

  kill(): void {
    this.process.send('SIGKILL')
  }

  private async killAfterGrace(): Promise<void> {
    await this.machine.sleep(this.grace * 1000, this.over.signal)
    if (this.over.signal.aborted) return
    this.machine.tell(`it did not end within ${inSeconds(this.grace)}: killing it`)
    this.kill()
  }

  /**
   * What the job has left behind would hold its memory and its files: it goes before anything else starts. False where
   * there was nothing.
   */
  async clear(): Promise<boolean> {
    const never = new AbortController().signal
    if (this.process.remains() !== true) return false
    this.machine.tell('some of its processes are still there: ending them')
    this.process.send('SIGTERM')
    for (let waited = 0; waited < this.grace && this.process.remains(); waited += clearInterval) {
      await this.machine.sleep(clearInterval * 1000, never)
    }
    if (this.process.remains()) this.kill()
    return true
  }
}

/** Seconds between two looks at what remains. */
const clearInterval = 0.1
