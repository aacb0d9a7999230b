import { describe, expect, it } from 'vitest'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from './folders.js'

describe("Accelerate's checkpoint", () => {
  it('is unfinished until its main process has written its random states, though another rank has written its own', async () => {
    const root = write(makeFolder(), {
      'checkpoint_0/model.safetensors': 'x',
      'checkpoint_0/random_states_1.pkl': 'x',
      'checkpoint_1/model.safetensors': 'x',
      'checkpoint_1/optimizer.bin': 'x',
      'checkpoint_1/random_states_0.pkl': 'x',
    })
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(checkpoints.map(({ name, health }) => `${name} ${health.grade}`)).toEqual([
      'checkpoint_0 unfinished',
      'checkpoint_1 unchecked',
    ])
  })
})
