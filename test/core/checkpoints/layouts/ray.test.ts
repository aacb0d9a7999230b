/** What Ray Train needs of a run that it wrote (ray/train/v2/_internal/execution/checkpoint/checkpoint_manager.py). */
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findRuns, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { bestOrder, byRecency, rank } from '../../../../src/core/choosing/selection/index.js'
import { planPrune } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture, fixtures, makeFolder } from './folders.js'

it('all that Ray Train has in its snapshot stay, for it starts no run of which one is gone', async () => {
  const root = makeFolder()
  cpSync(join(fixtures, 'variants', 'ray_tune', 'run', 'train'), root, { recursive: true })
  const stray = 'checkpoint_2026-11-29_14-56-18.000000'
  cpSync(join(root, 'checkpoint_2026-11-29_14-56-20.952316'), join(root, stray), { recursive: true })
  const { checkpoints } = await loadRun(localStorage(), root)
  expect(checkpoints.map(({ name, neededFor }) => [name, neededFor !== undefined]).sort()).toEqual([
    [stray, false],
    ['checkpoint_2026-11-29_14-56-20.952316', true],
    ['checkpoint_2026-11-29_14-56-22.816349', true],
    ['checkpoint_2026-11-29_14-56-24.830651', true],
  ])
})

it('Ray Tune judges by what is nested in a report, under a name with slashes', async () => {
  const found = await findRuns(localStorage(), join(fixtures, 'variants', 'ray_tune-nested', 'run'))
  const { ordered } = byRecency(found.flatMap(({ checkpoints }) => checkpoints))
  const order = bestOrder(ordered)
  expect(order).toMatchObject({ kind: 'min', key: 'val/cer' })
  expect(rank(ordered, order, 2e9).map(({ name }) => name)).toEqual(['checkpoint_000004', 'checkpoint_000003'])
})

it('what a trial goes on from and its best stay, and what its state names beside is told when it goes', async () => {
  const experiment = join(copyFixture('variants/ray_tune-kept/run'), 'exp')
  const trial = readdirSync(experiment).find((name) => name.startsWith('fn_')) ?? ''
  const storage = localStorage()
  const run = await loadRun(storage, join(experiment, trial))
  const context = { now: 2e9, wait: async () => Promise.resolve(), utcOffset: () => 0 }
  const plan = await planPrune(storage, run, { query: { orders: [], where: [] }, keep: 1 }, context)
  const kept = plan.keep.map(({ checkpoint: { name }, reasons }) => [name, reasons.map(({ text }) => text)])
  expect(kept).toEqual([
    ['checkpoint_000003', ['the newest whole one', 'Tuner.restore() goes on from it', 'newest']],
    ['checkpoint_000001', ['the best of its trial in experiment_state names it']],
  ])
  const books = 'experiment_state-*.json: ResultGrid lists it among best_checkpoints'
  expect(plan.warnings).toEqual([`checkpoint_000002 will still be named by ${books}`])
})
