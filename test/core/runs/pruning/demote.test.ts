import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { planDemote } from '../../../../src/core/runs/pruning/demote.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures } from '../../checkpoints/layouts/folders.js'

it.each([
  ['frameworks/paddle/run/output', /files beside one another/],
  ['frameworks/tf_checkpoint/run', /files beside one another/],
  ['frameworks/mmengine/run', /each of its checkpoints is one file/],
])('says of %s why no part of a checkpoint can be dropped', async (name, why) => {
  const run = await loadRun(localStorage(), join(fixtures, name))
  const context = { now: 0, verify: 'none', wait: async () => Promise.resolve() } as never
  await expect(planDemote(localStorage(), run, { query: { orders: [] } } as never, context)).rejects.toThrow(why)
})
