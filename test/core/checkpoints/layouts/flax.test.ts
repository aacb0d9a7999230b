import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder } from './folders.js'

it.each([
  ['run2_v1.5-ck_6', 6],
  ['vit.b16_0.25', 0.25],
  ['m3', 3],
  ['400', 400],
  ['model.12', 12],
])('a file of flax may have any prefix: %s', async (name, step) => {
  const root = makeFolder()
  cpSync(join(fixtures, 'weights-alone/flax/checkpoint_4'), join(root, name))
  const [run] = await findRuns(localStorage(), root)
  expect(run?.checkpoints.map((one) => [one.name, one.layout, one.step])).toEqual([[name, 'flax', step]])
})
