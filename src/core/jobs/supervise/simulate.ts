/** `--simulate`: what may happen to a job in the night, done to it on purpose. */
import { CkptError } from '../../errors.js'
import { parseDuration } from '../../choosing/expression/index.js'
import type { SignalName } from '../command/index.js'
import type { Retried } from './classify.js'
import type { RunningJob } from './running-job.js'

const endings = {
  preempt: 'preempted',
  timeout: 'timed-out',
  crash: 'failed',
  oom: 'out-of-memory',
} as const satisfies Record<string, Retried>

export interface Simulation {
  readonly ending: (typeof endings)[keyof typeof endings]
  /** Seconds after the start. */
  readonly after: number
}

/** `preempt@60s`. Throws CkptError `usage`. */
export function parseSimulation(text: string): Simulation {
  const [name = '', time = ''] = text.split('@', 2)
  const after = parseDuration(time)
  if (Object.hasOwn(endings, name) && after !== undefined) {
    return { ending: endings[name as keyof typeof endings], after }
  }
  throw new CkptError('usage', `--simulate takes what and when, not ${JSON.stringify(text)}`, {
    hint: `for example ${Object.keys(endings).join('@60s, ')}@60s`,
  })
}

/** Nothing is asked before. */
export function isSudden(ending: Retried): boolean {
  return ending !== 'preempted' && ending !== 'timed-out'
}

/**
 * As it would come: a preemption by SIGTERM and then, after the grace, SIGKILL; a time limit by the warning signal
 * likewise; a crash and the kernel's want of memory at once.
 */
export function carryOutSimulation(ending: Retried, job: RunningJob, warning: SignalName): void {
  if (isSudden(ending)) job.kill()
  else if (ending === 'preempted') job.ask('SIGTERM')
  // What does not catch the warning is asked to end as it would be before the limit.
  else job.ask(job.passIfCaught(warning) ? null : 'SIGTERM')
}
