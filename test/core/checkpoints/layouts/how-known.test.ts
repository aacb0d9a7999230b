import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { howKnown } from '../../../../src/core/checkpoints/layouts/explain.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures } from './folders.js'

describe('by what a checkpoint is known', () => {
  it.each([
    ['hf_trainer', 'it has trainer_state.json'],
    ['torch_plain', 'it is a state dict or a module (torch.save)'],
    ['tf_checkpoint', 'it has a name like *.index and has a name like *.data-<number>-of-<number>'],
    ['lightning', 'it holds pytorch-lightning_version (torch.save)'],
  ])('is reported for %s', async (framework, reason) => {
    const [run] = await findRuns(localStorage(), join(fixtures, 'frameworks', framework, 'run'))
    const [first] = run?.checkpoints ?? []
    expect(first).toBeDefined()
    if (first !== undefined) expect(await howKnown(localStorage(), first)).toContain(reason)
  })
})
