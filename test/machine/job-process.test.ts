/** Signals for real processes. */
import { describe, expect, it } from 'vitest'
import type { JobProcess } from '../../src/core/jobs/supervise/index.js'
import { startJob } from '../../src/machine/job-process.js'
import { wait } from '../../src/machine/clock.js'

const start = (script: string): Promise<JobProcess> =>
  startJob(() => false, 'ignore')('bash', ['-c', script], { PATH: process.env['PATH'] ?? '' })

/** Until it is true: a shell takes its time to set its trap. */
async function sentToOneThatCatches(job: JobProcess): Promise<void> {
  while (!job.sendIfCaught('SIGUSR1')) await wait(20)
}

describe.runIf(process.platform === 'linux')('a signal for those that catch it', () => {
  it('reaches a process with a handler, also below one that would die of it', async () => {
    const job = await start(`bash -c 'trap "exit 7" USR1; while :; do sleep 0.05; done'; exit $?`)
    await sentToOneThatCatches(job)
    expect(await job.ended).toEqual({ kind: 'exited', status: 7 })
  })

  it('is sent to none where none does', async () => {
    const job = await start('exec sleep 60')
    await wait(200)
    expect(job.sendIfCaught('SIGUSR1')).toBe(false)
    expect(job.remains()).toBe(true)
    job.send('SIGKILL')
    expect(await job.ended).toMatchObject({ kind: 'killed' })
  })
})
