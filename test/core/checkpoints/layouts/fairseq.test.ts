/** fairseq's names with a suffix of the user's own. */
import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from './folders.js'

it.each(['-exp1', '_x', '.b'])('with --checkpoint-suffix %s the only copy of the best stays', async (suffix) => {
  const root = copyFixture('variants/fairseq-suffix/run')
  for (const name of readdirSync(root)) renameSync(join(root, name), join(root, name.replace('-exp1', suffix)))
  for (const name of [`checkpoint2${suffix}.pt`, `checkpoint.best_loss_0.5000${suffix}.pt`]) rmSync(join(root, name))
  const { checkpoints } = await loadRun(localStorage(), root)
  const best = checkpoints.find(({ name }) => name.startsWith('checkpoint_best'))
  expect(best?.neededFor).toBe("the only copy of fairseq's best")
  expect(best?.pointsTo.find(({ purpose }) => purpose === 'best')?.name).toBe(`checkpoint_best${suffix}.pt`)
})
