/** TensorFlow's own number of a save orders what tells no step, whatever the files' times are. */
import { utimesSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadRun, measure } from '../../../../src/core/checkpoints/layouts/index.js'
import { byRecency } from '../../../../src/core/choosing/selection/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from './folders.js'

it('orders checkpoints without a step by the number of their save', async () => {
  const run = copyFixture('variants/tensorflow/run/saves')
  // As a copy that keeps no times leaves them.
  for (const name of readdirSync(run)) utimesSync(join(run, name), 1e9, name.startsWith('ck-1') ? 1e9 + 1 : 1e9)
  const { checkpoints } = await loadRun(localStorage(), run)
  const { ordered } = byRecency(await measure(localStorage(), checkpoints))
  expect(ordered.map(({ name, saveNumber, meta }) => [name, saveNumber, meta.size])).toEqual([
    ['ck-3', 3, 0],
    ['ck-2', 2, 0],
    ['ck-1', 1, 0],
  ])
})
