import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures } from './folders.js'

it('needs the n best that ESPnet averages at the end under DeepSpeed too', async () => {
  const { checkpoints } = await loadRun(localStorage(), join(fixtures, 'variants/espnet-deepspeed/run'))
  expect(checkpoints.map(({ name, neededFor }) => [name, neededFor])).toEqual([
    ['checkpoint_2', undefined],
    ['checkpoint_3', 'among the 1 best by valid.loss, which ESPnet averages at the end'],
  ])
})
