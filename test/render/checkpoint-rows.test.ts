import { expect, it } from 'vitest'
import type { Checkpoint } from '../../src/core/checkpoint.js'
import { openRun } from '../../src/core/runs/index.js'
import { localStorage } from '../../src/core/storage/local.js'
import { marksOf } from '../../src/render/checkpoint-rows.js'
import { write } from '../core/checkpoints/layouts/folders.js'
import { temporaryDirectory } from '../temporary.js'

/** A run of SpeechBrain: by name, the text of each checkpoint's CKPT.yaml. */
function makeRun(checkpoints: Readonly<Record<string, string>>): string {
  const files = Object.entries(checkpoints).map(([name, meta]) => ({
    [`${name}/CKPT.yaml`]: meta,
    [`${name}/model.ckpt`]: name,
  }))
  return write(temporaryDirectory(), Object.assign({}, ...files) as Record<string, string>)
}

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

it('the value by which the framework names the best is not told twice', async () => {
  const run = await openRun(
    localStorage(),
    makeRun({ 'CKPT+a': 'WER: 3\nunixtime: 1\n', 'CKPT+b': 'WER: 4\nunixtime: 2\n' }),
  )
  const pointer = { label: 'best', name: 'CKPT+a', purpose: 'best' as const, metric: 'WER', value: 3 }
  const named = run.checkpoints.map((checkpoint): Checkpoint => ({ ...checkpoint, pointsTo: [pointer] }))
  const best = named.find(({ name }) => name === 'CKPT+a')
  if (best === undefined) throw new Error('not found')
  const marks = (metrics: readonly string[]) =>
    marksOf(named, new Map(metrics.map((metric) => [metric, best])), new Map()).get(best.path)
  expect(marks(['WER'])?.slice(-2)).toEqual(['best WER', 'named best'])
  expect(marks([])?.at(-1)).toBe('named best (WER 3)')
})
