/** A job that outlived its ckpt, as the journal of its run tells of it. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { stateFolderOf } from '../../../src/core/changes/state/index.js'
import { Journal } from '../../../src/core/changes/journal/index.js'
import { holdingJob } from '../../../src/core/jobs/holding-job.js'
import { localStorage } from '../../../src/core/storage/local.js'
import { makeRun } from '../changes/disposal/runs.js'
import { lockOptions, machine, owner } from '../changes/state/machine.js'

const storage = localStorage()

/** Starts a job where the journal tells of one that has not ended, whose process is there. */
async function startBeside(isOwnJob: boolean): Promise<unknown> {
  const run = makeRun(['CKPT+a'])
  const self = owner()
  const journal = await Journal.open(storage, await stateFolderOf(storage, run), () => undefined)
  await journal.add({
    what: 'start',
    time: 1,
    attempt: 1,
    reason: 'first',
    checkpoint: null,
    command: ['python', 'train.py'],
    host: self.host,
    pid: 4711,
    started: '900',
    job: null,
  })
  const processes = { ...machine(self, new Map([[4711, '900']])), isOwnJob: () => isOwnJob }
  const work = holdingJob(
    storage,
    { path: run },
    lockOptions(processes),
    () => undefined,
    () => Promise.resolve(),
  )
  return work.catch((error: unknown) => error)
}

it('a job that goes on without its ckpt keeps a second one from starting, and how to end it is told', async () => {
  expect(await startBeside(true)).toMatchObject({
    code: 'refused',
    message: 'the job that an earlier ckpt started is still running, as process 4711',
    hint: expect.stringContaining('kill -- -4711') as string,
  })
})

it('a process that is not known to be a job of the user is never told to be killed: others may write a journal', async () => {
  const error = (await startBeside(false)) as { readonly hint: string }
  expect(error).toMatchObject({ code: 'refused' })
  expect(error.hint).not.toContain('kill')
  expect(error.hint).toContain('ps -fp 4711')
})

it('a job starts though its journal cannot be read, which is reported', async () => {
  const run = makeRun(['CKPT+a'])
  mkdirSync(join((await stateFolderOf(storage, run)).path, 'journal.jsonl'), { recursive: true })
  const told: string[] = []
  const tell = (text: string) => void told.push(text)
  const options = lockOptions(machine(owner(), new Map()))
  const known = await holdingJob(storage, { path: run }, options, tell, (journal) => Promise.resolve(journal.entries))
  expect(known).toEqual([])
  expect(told).toEqual([expect.stringMatching(/^nothing is known of earlier starts, for the journal cannot be read: /)])
})
