/** A file that was cut off is told as damaged, and not as one of weights alone, which nobody could know. */
import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isResumable } from '../../../../src/core/checkpoint.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from './folders.js'

it.each([
  ['frameworks/detectron2/run', 'model_0000039.pth'],
  ['variants/detectron2-trainer/run', 'model_0000005.pth'],
  ['variants/detectron2-trainer/run', 'model_final.pth'],
  ['frameworks/mmengine/run', 'epoch_5.pth'],
])('%s/%s', async (fixture, name) => {
  const run = copyFixture(fixture)
  truncateSync(join(run, name), 100)
  const { checkpoints } = await loadRun(localStorage(), run)
  const cut = checkpoints.find((one) => one.name === name)
  expect(cut === undefined ? null : isResumable(cut)).toBe(true)
})
