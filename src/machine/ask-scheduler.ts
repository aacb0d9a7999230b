/** Running a command of the batch system, as core asks for it (core/jobs/schedulers/scheduler.ts). */
import type { AskScheduler } from '../core/jobs/schedulers/index.js'

/** Milliseconds. A controller under load takes its time; one that is gone must not hold up the job. */
const patience = 30_000

export const askScheduler: AskScheduler = async ([command = '', ...args]) => {
  const { execa } = await import('execa')
  const { failed, stdout } = await execa(command, args, { reject: false, stdin: 'ignore', timeout: patience })
  return failed ? null : stdout
}
