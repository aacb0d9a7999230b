/** The messages about a job on stderr: how it starts, why it is asked to end, and how it ended. */
import type { Checkpoint } from '../../checkpoint.js'
import type { Budget } from './budget.js'
import type { Cause, Ending, Judgement } from './classify.js'
import type { Decision } from './decide.js'
import { inSeconds } from './in-seconds.js'
import { isSudden } from './simulate.js'

/** `run`: its absolute path. `folders`: how many runs were taken for one job's. */
export function startMessage(run: string, checkpoint: Checkpoint | null, attempt: number, folders = 1): string {
  const among = folders > 1 ? `, among ${folders} folders that are taken for those of one job` : ''
  const from =
    checkpoint === null ? `no checkpoint yet in ${run}: a first start` : `resuming from ${checkpoint.path}${among}`
  return attempt === 1 ? from : `attempt ${attempt}: ${from}`
}

export function notBlamedMessage({ name }: Checkpoint, opened: readonly string[]): string {
  return `it was seen to read ${opened.join(', ')} and not ${name}, which is not blamed for that`
}

export function askMessage(cause: Cause): string {
  const isKilled = cause.kind === 'simulated' && isSudden(cause.ending)
  return `${isKilled ? 'killing it' : 'asking it to end'}: ${describeCause(cause)}`
}

/** `uptime` in seconds; null: an end as it should be needs no words. */
export function endMessage(
  judgement: Judgement,
  decision: Decision,
  { uptime, attempt, budget }: { readonly uptime: number; readonly attempt: number; readonly budget: Budget },
): string | null {
  const { ending } = judgement
  if (ending === 'done' && decision.kind === 'finish') return null
  const what = `${describe(judgement)} after ${inSeconds(uptime)}`
  if (decision.kind === 'restart' && ending !== 'done' && ending !== 'stopped') {
    const [limit, left] = [budget.limitOf(ending), budget.left(ending)]
    const retries = limit === Infinity ? '' : `, ${left} of ${limit} retries left`
    const wait = decision.after < 0.05 ? 'at once' : `in ${inSeconds(decision.after)}`
    return `${what}; starting again ${wait} (attempt ${attempt + 1}${retries})`
  }
  return `${what}${decision.kind === 'finish' && decision.why !== null ? `; ${decision.why}` : ''}`
}

const words: Readonly<Record<Ending, string>> = {
  done: 'done',
  stopped: 'stopped',
  failed: 'failed',
  'out-of-memory': 'out of memory',
  'timed-out': 'timed out',
  preempted: 'preempted',
  'never-started': 'never started',
  hung: 'hung',
  requeue: 'asked to be started again',
}

function describe({ ending, why }: Judgement): string {
  return ending === 'failed' && why.startsWith('exit status') ? `failed with ${why}` : `${words[ending]} (${why})`
}

function describeCause(cause: Cause): string {
  switch (cause.kind) {
    case 'signal':
    case 'warning':
      return cause.signal
    case 'stop':
      return 'ckpt stop'
    case 'enough':
      return `nothing more to gain: ${cause.why}`
    case 'stall':
      return `no activity for ${inSeconds(cause.seconds)}`
    case 'scheduler':
      return cause.title
    case 'simulated':
      return `as if ${words[cause.ending]} (--simulate)`
  }
}
