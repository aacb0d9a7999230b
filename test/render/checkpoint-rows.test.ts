import { expect, it } from 'vitest'
import type { Checkpoint } from '../../src/core/checkpoint.js'
import { openRun } from '../../src/core/runs/index.js'
import { localStorage } from '../../src/core/storage/local.js'
import { marksOf } from '../../src/render/checkpoint-rows.js'
import { makeRun } from '../e2e/runs.js'

it('a checkpoint that is named the best by several criteria says so once', async () => {
  const run = await openRun(localStorage(), makeRun({ 'CKPT+a': 'loss: 1\nunixtime: 1\n' }))
  const pointers = ['valid.acc.best.pth', 'train.loss.best.pth'].map((label) => ({
    label,
    name: 'CKPT+a',
    purpose: 'best' as const,
  }))
  const named = run.checkpoints.map((checkpoint): Checkpoint => ({ ...checkpoint, pointsTo: pointers }))
  const [marks] = marksOf(named, new Map(), new Map()).values()
  expect(marks).toEqual(['latest', 'named best'])
})
