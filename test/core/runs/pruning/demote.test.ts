import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { demoteCheckpoints, fingerprint } from '../../../../src/core/changes/disposal/index.js'
import { stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { planDemote } from '../../../../src/core/runs/pruning/demote.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { finishDemotionsOf } from '../../../../src/core/runs/pruning/finish-interrupted.js'
import { withDemotions } from '../../../../src/core/runs/opening/run-with-state.js'
import { faultyStorage, Stopped } from '../../../faulty-storage.js'
import { temporaryDirectory } from '../../changes/disposal/runs.js'
import { fixtures } from '../../checkpoints/layouts/folders.js'

it.each([
  ['frameworks/tf_checkpoint/run', /files beside one another/],
  ['frameworks/mmengine/run', /each of its checkpoints is one file/],
])('says of %s why no part of a checkpoint can be dropped', async (name, why) => {
  const run = await loadRun(localStorage(), join(fixtures, name))
  const context = { now: 0, verify: 'none', wait: async () => Promise.resolve() } as never
  await expect(planDemote(localStorage(), run, { query: { orders: [] } } as never, context)).rejects.toThrow(why)
})

describe('a demotion of files that are one checkpoint together', () => {
  const storage = localStorage()
  const wait = () => Promise.resolve()
  const name = '1.pdparams'
  const makeRun = () => {
    const run = join(temporaryDirectory(), 'output')
    cpSync(join(fixtures, 'frameworks/paddle/run/output'), run, { recursive: true })
    return run
  }
  async function demoteIn(run: string, through = storage) {
    const checkpoint = (await loadRun(storage, run)).checkpoints.find((one) => one.name === name)
    if (checkpoint === undefined) throw new Error('no such checkpoint')
    const planned = await fingerprint(storage, [checkpoint])
    const state = await stateFolderOf(storage, run)
    const options = { planned, now: 1, wait }
    return demoteCheckpoints(through, run, state, [{ checkpoint, drop: ['1.pdopt'] }], options)
  }
  const finish = async (run: string) => finishDemotionsOf(storage, run, await stateFolderOf(storage, run), { wait })
  const asKnown = async (run: string) =>
    (await withDemotions(storage, await loadRun(storage, run), {})).checkpoints.find((one) => one.name === name)

  it('leaves all or the weights alone, and says so, wherever it was stopped or failed', async () => {
    for (const then of ['stops', 'goes on'] as const) {
      for (let failAt = 1; ; failAt += 1) {
        const run = makeRun()
        const others = readdirSync(run).filter((one) => one !== '1.pdopt')
        const { storage: faulty, calls } = faultyStorage(storage, { failAt, then })
        await demoteIn(run, faulty).catch((error: unknown) => {
          expect(error).toBeInstanceOf(Stopped)
        })
        await finish(run)
        expect(readdirSync(run).filter((one) => one !== '1.pdopt')).toEqual(others)
        const demoted = (await asKnown(run))?.demoted?.map((one) => one.name)
        expect(demoted, `${then} at ${failAt}`).toEqual(existsSync(join(run, '1.pdopt')) ? undefined : ['1.pdopt'])
        if (calls.length < failAt) break
      }
    }
  })

  it('is finished only of files of that checkpoint, whatever its record says', async () => {
    const run = makeRun()
    await demoteIn(run)
    const folder = join((await stateFolderOf(storage, run)).path, 'demoted')
    const record = join(folder, readdirSync(folder)[0] ?? '')
    const [there] = await storage.lstat([join(run, '0.pdopt')])
    if (there?.ok !== true) throw new Error('no such file')
    const { inode, size, modified } = there.value
    const text = JSON.parse(readFileSync(record, 'utf8')) as { dropped: object[]; finished: boolean }
    text.dropped.push({ name: '0.pdopt', key: 'optimizer', inode: inode.toString(), size, modified })
    writeFileSync(record, JSON.stringify({ ...text, finished: false }))
    await finish(run)
    expect(existsSync(join(run, '0.pdopt'))).toBe(true)
  })

  it('is forgotten with the checkpoint', async () => {
    const run = makeRun()
    await demoteIn(run)
    rmSync(join(run, name))
    await finish(run)
    cpSync(join(run, '0.pdparams'), join(run, name))
    expect((await asKnown(run))?.demoted).toBeUndefined()
  })
})
