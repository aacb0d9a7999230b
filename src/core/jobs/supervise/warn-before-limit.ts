/** The time limit is near: the job may save once more before it is asked to end. */
import type { SignalName } from '../command/index.js'
import type { RunningJob } from './running-job.js'
import type { Machine } from './machine.js'

export interface LastCall {
  /** The signal that asks the job to save; null: it is not asked. */
  readonly signal: SignalName | null
  /** Seconds until the time limit; null where it is not known. */
  readonly timeLeft: number | null
  /** Seconds that it may take to end. */
  readonly grace: number
  /** Aborts with the next whole checkpoint. */
  readonly saved: AbortSignal
}

/** Seconds. What `--signal=B:USR1@120` promises. */
const usualNotice = 120

/** Seconds for what is still to be done when the job has ended: the journal, and the way to the scheduler. */
const reserve = 10

/** Seconds between two looks for a handler: a program that is still loading has none yet. */
const handlerInterval = 1

type Clock = Pick<Machine, 'now' | 'sleep'>

/** Until a whole checkpoint has appeared, the job has ended, or no more time can be given. */
export async function letJobSave(
  job: RunningJob,
  machine: Clock & Pick<Machine, 'tell'>,
  call: LastCall,
): Promise<void> {
  const left = call.timeLeft ?? usualNotice
  const until = machine.now() + Math.max(left - call.grace - reserve, left / 2)
  const enough = AbortSignal.any([call.saved, job.isOver])
  const { signal } = call
  if (signal !== null && !tellToSave(job, machine, signal)) {
    await passOnceCaught(job, machine, { signal, until, enough })
  }
  await machine.sleep(Math.max(0, until - machine.now()) * 1000, enough)
  if (!job.isOver.aborted) job.ask('SIGTERM')
}

/** SIGTERM and SIGINT end a program that has no handler, which the user who chose them may want; the others kill it. */
const ending: ReadonlySet<SignalName> = new Set(['SIGTERM', 'SIGINT', 'SIGQUIT'])

/** False where no process of the job catches the signal, which is then not sent. */
function tellToSave(job: RunningJob, machine: Pick<Machine, 'tell'>, signal: SignalName): boolean {
  if (ending.has(signal)) {
    job.pass(signal)
    return true
  }
  if (job.passIfCaught(signal)) return true
  machine.tell(
    `no process of the command catches ${signal}, of which it would die: it works on, and gets SIGTERM in time`,
  )
  return false
}

interface Awaited {
  readonly signal: SignalName
  /** Unix seconds. */
  readonly until: number
  readonly enough: AbortSignal
}

/** Sends the signal as soon as some process of the job has a handler for it. */
async function passOnceCaught(job: RunningJob, machine: Clock, { signal, until, enough }: Awaited): Promise<void> {
  for (;;) {
    await machine.sleep(Math.min(handlerInterval, until - machine.now()) * 1000, enough)
    if (enough.aborted || machine.now() >= until || job.passIfCaught(signal)) return
  }
}
