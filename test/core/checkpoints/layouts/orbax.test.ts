/** What Orbax leaves beside its steps. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findLeftovers, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from './folders.js'

it('a folder that Orbax was to rename is what a save has left, and no checkpoint', async () => {
  const run = await loadRun(localStorage(), join(copyFixture('variants/orbax-options/run'), 'cut'))
  expect(run.checkpoints.map(({ name }) => name)).toEqual(['40'])
  expect(await findLeftovers(localStorage(), run)).toMatchObject([
    {
      name: '50.orbax-checkpoint-tmp',
      reason: 'the folder of a save that never finished: Orbax renames it when all is written',
    },
  ])
})
