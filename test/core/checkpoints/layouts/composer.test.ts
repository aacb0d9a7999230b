/** Composer's runs: what names the newest in a folder of its own. */
import { copyFileSync, cpSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseExpression } from '../../../../src/core/choosing/expression/index.js'
import { carryOut, intentOf, openRun, planPrune } from '../../../../src/core/runs/index.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture, fixtures, makeFolder } from './folders.js'

it('latest/rank0.pt is led to the newest that stays, before what it names goes', async () => {
  const root = join(makeFolder(), 'run')
  const ours = join(fixtures, 'variants', 'composer', 'run', 'legacy', 'ckpts')
  cpSync(ours, root, { recursive: true, verbatimSymlinks: true })
  const link = (): string => readlinkSync(join(root, 'latest', 'rank0.pt'))
  expect(link()).toBe('../ep4-ba20/rank0.pt')
  const storage = localStorage()
  const opened = await openRun(storage, root)
  const request = { query: { orders: [], where: [await parseExpression('step == 20')] }, keep: 0, protect: false }
  const times = { now: 1_900_000_000, wait: async () => Promise.resolve() }
  const plan = await planPrune(storage, opened, request, { ...times, utcOffset: () => 0 })
  await carryOut(storage, opened, intentOf(plan).going, { ...times, trash: false })
  expect(link()).toBe('../ep3-ba15/rank0.pt')
})

it('a link of another name than latest is no checkpoint: the newest follows, what a user marked stays', async () => {
  const root = join(makeFolder(), 'run')
  cpSync(join(fixtures, 'variants', 'composer-names', 'run', 'bare'), root, { recursive: true, verbatimSymlinks: true })
  const storage = localStorage()
  const opened = await openRun(storage, root)
  const times = { now: 1_900_000_000, wait: async () => Promise.resolve() }
  const request = { query: { orders: [], where: [] }, keep: 1 }
  const kept = await planPrune(storage, opened, request, { ...times, utcOffset: () => 0 })
  expect(kept.remove).toEqual([])
  const all = { query: { orders: [], where: [await parseExpression('step == 15')] }, keep: 0, protect: false }
  const plan = await planPrune(storage, opened, all, { ...times, utcOffset: () => 0 })
  await carryOut(storage, opened, intentOf(plan).going, { ...times, trash: false })
  expect(readlinkSync(join(root, 'last-r0'))).toBe('ba12-ep2')
})

it('a file that was copied in the place of the link latest is the newest once more, or alone the checkpoint', async () => {
  const root = join(copyFixture('frameworks/composer/run'), 'checkpoints')
  const names = async () => {
    const [run] = await findRuns(localStorage(), root)
    return (run?.checkpoints ?? []).map(({ name, step, sameAs }) => [name, step, sameAs])
  }
  const others = await names()
  rmSync(join(root, 'latest-rank0.pt'))
  copyFileSync(join(root, 'ep4-ba20-rank0.pt'), join(root, 'latest-rank0.pt'))
  expect(await names()).toEqual([...others, ['latest-rank0.pt', 20, 'ep4-ba20-rank0.pt']])
  rmSync(join(root, 'ep4-ba20-rank0.pt'))
  expect((await names()).at(-1)).toEqual(['latest-rank0.pt', 20, undefined])
})

it('of several ranks, latest-rank0.pt and -rank1.pt as copies are the newest once more, or alone the checkpoint', async () => {
  const root = join(copyFixture('frameworks/composer/run'), 'checkpoints')
  rmSync(join(root, 'latest-rank0.pt'))
  for (const rank of [0, 1]) copyFileSync(join(root, 'ep3-ba15-rank0.pt'), join(root, `latest-rank${rank}.pt`))
  for (const name of ['ep1-ba5', 'ep2-ba10', 'ep4-ba20']) rmSync(join(root, `${name}-rank0.pt`))
  copyFileSync(join(root, 'ep3-ba15-rank0.pt'), join(root, 'ep3-ba15-rank1.pt'))
  const names = async () => {
    const [run] = await findRuns(localStorage(), root)
    return run?.checkpoints.map(({ name, step, members, sameAs }) => [name, step, members.length, sameAs])
  }
  expect(await names()).toEqual([
    ['ep3-ba15-rank0.pt', 15, 2, undefined],
    ['latest-rank0.pt', 15, 2, 'ep3-ba15-rank0.pt'],
  ])
  for (const rank of [0, 1]) rmSync(join(root, `ep3-ba15-rank${rank}.pt`))
  expect(await names()).toEqual([['latest-rank0.pt', 15, 2, undefined]])
})
