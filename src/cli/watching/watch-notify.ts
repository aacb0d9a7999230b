/** `--notify`: a command of the user's at each new best, one after the other. */
import { environmentOf, valueText } from '../../core/jobs/command/index.js'
import type { WatchEvent } from '../../core/jobs/watch/index.js'
import { CkptError } from '../../core/errors.js'
import { runHookProcess } from '../../machine/run-hook.js'
import type { HookEnd } from '../../core/jobs/hooks/index.js'
import { printable } from '../../render/printable.js'

type BestEvent = Extract<WatchEvent, { readonly event: 'best' }>

export class Notifier {
  private last: Promise<void> = Promise.resolve()

  /** `tell` hears what a command prints, and that it failed. */
  constructor(
    private readonly command: string,
    private readonly signal: AbortSignal,
    private readonly tell: (text: string) => void,
  ) {}

  add(event: BestEvent): void {
    this.last = this.last.then(() => this.run(event))
  }

  /** When all have ended. */
  async finish(): Promise<void> {
    await this.last
  }

  private async run(event: BestEvent): Promise<void> {
    if (this.signal.aborted) return
    const { reason, output } = await runHookProcess({
      command: '/bin/sh',
      args: ['-c', this.command],
      environment: this.environmentFor(event),
      folder: { path: process.cwd(), identity: null },
      timeout: null,
      signal: this.signal,
    })
    const printed = output.trimEnd()
    if (printed !== '') this.tell(`--notify: ${printed.split('\n').map(printable).join('\n')}`)
    const failure = whyHookFailed(reason)
    if (failure !== null) this.tell(`--notify ${failure}`)
  }

  /** Values reach the command by its environment alone: nothing of a file becomes a part of a shell's text. */
  private environmentFor({ run, metric, best, before, checkpoint }: BestEvent): Record<string, string> {
    const facts = {
      CKPT_EVENT: 'best',
      CKPT_RUN: run,
      CKPT_NAME: best.name,
      CKPT_METRIC: valueText(metric),
      CKPT_VALUE: String(best.value),
      ...(before === null ? {} : { CKPT_PREVIOUS: String(before.value) }),
    }
    if (checkpoint === null) return facts
    try {
      return { ...environmentOf(checkpoint), ...facts }
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.tell(`--notify: ${error.message}`)
      return { ...facts, CKPT_PATH: checkpoint.path }
    }
  }
}

function whyHookFailed(reason: HookEnd['reason']): string | null {
  switch (reason.kind) {
    case 'exited':
      return reason.status === 0 ? null : `ended with exit status ${reason.status}`
    case 'killed':
      return `was killed by ${reason.signal}`
    case 'unstarted':
      return `could not be started: ${reason.errno}`
    default:
      return null
  }
}
