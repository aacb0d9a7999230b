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

/** Until a whole checkpoint has appeared, the job has ended, or no more time can be given. */
export async function letJobSave(
  job: RunningJob,
  machine: Pick<Machine, 'sleep' | 'tell'>,
  call: LastCall,
): Promise<void> {
  if (call.signal !== null) tellToSave(job, machine, call.signal)
  const left = call.timeLeft ?? usualNotice
  const patience = Math.max(left - call.grace - reserve, left / 2)
  await machine.sleep(patience * 1000, AbortSignal.any([call.saved, job.isOver]))
  if (!job.isOver.aborted) job.ask('SIGTERM')
}

/** SIGTERM and SIGINT end a program that has no handler, which the user who chose them may want; the others kill it. */
const ending: ReadonlySet<SignalName> = new Set(['SIGTERM', 'SIGINT', 'SIGQUIT'])

function tellToSave(job: RunningJob, machine: Pick<Machine, 'tell'>, signal: SignalName): void {
  if (ending.has(signal)) job.pass(signal)
  else if (!job.passIfCaught(signal)) {
    machine.tell(
      `no process of the command catches ${signal}, of which it would die: it works on, and gets SIGTERM in time`,
    )
  }
}
