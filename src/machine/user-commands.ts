/** The shell commands of `--on-checkpoint` and `--on-exit`: one after the other, beside the job. */
import { sleep } from './clock.js'
import type { ChildEnd } from '../core/jobs/command/index.js'
import type { Hurry, JobProcess } from '../core/jobs/supervise/index.js'
import { processSignals } from './run-child.js'
import { startJob } from './job-process.js'

/** Their output goes to stderr: stdout is the job's. */
const start = startJob(() => processSignals.isForeground(), ['ignore', 2, 2])

/** Milliseconds between SIGTERM and SIGKILL for one that has had its time. */
const lastMoments = 1000

export class UserCommands {
  private last: Promise<void> = Promise.resolve()
  private running: JobProcess | null = null
  private isCut = false
  /** Unix milliseconds, once time is short. */
  private deadline: number | null = null

  constructor(private readonly tell: (text: string) => void) {}

  /** Begins when those before it have ended. */
  add(flag: string, command: string, environment: Readonly<Record<string, string>>): void {
    this.last = this.last.then(() => this.run(flag, command, environment))
  }

  /** Waits for all. Where time is short they have it together; what has not ended then is cut off. */
  async finish({ signal, seconds }: Hurry): Promise<void> {
    const over = new AbortController()
    const limit = () => {
      this.deadline ??= Date.now() + seconds * 1000
      void this.cutAt(this.deadline, over.signal)
    }
    if (signal.aborted) limit()
    else signal.addEventListener('abort', limit, { once: true })
    await this.last
    over.abort()
    signal.removeEventListener('abort', limit)
  }

  private async run(flag: string, command: string, environment: Readonly<Record<string, string>>): Promise<void> {
    if (this.isCut) {
      this.tell(`--${flag} was left out: there is no time left`)
      return
    }
    this.running = await start('sh', ['-c', command], environment)
    const end = await this.running.ended
    this.running = null
    if (end.kind === 'exited' && end.status === 0) return
    this.tell(`--${flag} ${howItEnded(end)}${this.lateness()}`)
  }

  private lateness(): string {
    return this.isCut ? ': there was no time left' : ''
  }

  private async cutAt(deadline: number, isOver: AbortSignal): Promise<void> {
    await sleep(Math.max(0, deadline - Date.now()), isOver)
    if (isOver.aborted) return
    this.isCut = true
    this.running?.send('SIGTERM')
    await sleep(lastMoments, isOver)
    this.running?.send('SIGKILL')
  }
}

function howItEnded(end: ChildEnd): string {
  if (end.kind === 'unstarted') return 'could not be started'
  return end.kind === 'exited' ? `ended with exit status ${end.status}` : `was killed by ${end.name}`
}
