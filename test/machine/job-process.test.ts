/** Signals for real processes. */
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { JobProcess } from '../../src/core/jobs/supervise/index.js'
import { startJob } from '../../src/machine/job-process.js'
import { wait } from '../../src/machine/clock.js'

const start = (script: string): Promise<JobProcess> =>
  startJob(() => false, 'ignore')('bash', ['-c', script], { PATH: process.env['PATH'] ?? '' })

interface Refused {
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly program?: string
}

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

describe.runIf(process.platform === 'linux')('what a job has open to read', () => {
  it('is told of all of its processes, links resolved, and not what it only writes', async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-job-')))
    const [read, written, ready] = ['read', 'written', 'ready'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    for (const path of [read, written]) writeFileSync(path, 'x')
    symlinkSync(read, join(folder, 'link'))
    const script = `exec 4>>'${written}'; bash -c 'exec 3<"$0/link" 5<"$0/ready"; while :; do sleep 0.05; done' '${folder}'; exit`
    writeFileSync(ready, '')
    const job = await start(script)
    let open = job.filesOpenToRead() ?? []
    // Opened after the other two.
    while (!open.includes(ready)) {
      await wait(20)
      open = job.filesOpenToRead() ?? []
    }
    expect(open).toContain(read)
    expect(open).not.toContain(written)
    // The program itself is mapped.
    expect(open.some((path) => path.endsWith('bash'))).toBe(true)
    job.send('SIGKILL')
    await job.ended
    rmSync(folder, { recursive: true })
  })

  it('is nothing of a command that could not be started', async () => {
    const job = await startJob(() => false, 'ignore')('/nowhere/at-all', [], {})
    expect(job.filesOpenToRead()).toBeNull()
  })
})

describe('a job that the system will not start', () => {
  it.each([
    ['its arguments are too long', { args: ['x'.repeat(3 << 20)], environment: {} }, 'E2BIG'],
    ['its environment is too long', { args: [], environment: { CKPT_META_X: 'x'.repeat(3 << 20) } }, 'E2BIG'],
    ['an argument holds a NUL', { args: ['a\0b'], environment: {} }, 'ERR_INVALID_ARG_VALUE'],
    ['there is no such program', { args: [], environment: {}, program: 'ckpt-nothing' }, 'ENOENT'],
  ])('has ended, and says why: %s', async (_, { args, environment, program = 'true' }: Refused, errno) => {
    const job = await startJob(() => false, 'ignore')(program, args, {
      PATH: process.env['PATH'] ?? '',
      ...environment,
    })
    expect(job.pid).toBeNull()
    expect(await job.ended).toEqual({ kind: 'unstarted', errno })
  })
})
