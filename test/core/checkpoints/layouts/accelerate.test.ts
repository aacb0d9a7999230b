import { describe, expect, it } from 'vitest'
import { isResumable } from '../../../../src/core/checkpoint.js'
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

  it('is unfinished before there is an optimizer, under a name that Accelerate gives, among others of its own', async () => {
    const whole = { 'model.safetensors': 'x', 'optimizer.bin': 'x', 'random_states_0.pkl': 'x' }
    const of = (name: string, files: Record<string, string>) =>
      Object.fromEntries(Object.entries(files).map(([file, text]) => [`${name}/${file}`, text]))
    const root = write(makeFolder(), {
      ...of('checkpoint_0', whole),
      ...of('checkpoint_1', { 'model.safetensors': 'x' }),
      ...of('best', { 'model.safetensors': 'x' }),
    })
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(checkpoints.map(({ name, health }) => `${name} ${health.grade}`)).toEqual([
      'checkpoint_0 unchecked',
      'checkpoint_1 unfinished',
    ])
    const weights = write(makeFolder(), of('checkpoint_1', { 'model.safetensors': 'x' }))
    await expect(loadRun(localStorage(), weights)).rejects.toThrow('no checkpoints')
  })

  it('has weights under any name and in any folder: hooks of a script save them', async () => {
    const rest = { 'optimizer.bin': 'x', 'random_states_0.pkl': 'x' }
    const of = (name: string, files: Record<string, string>) =>
      Object.fromEntries(Object.entries(files).map(([file, text]) => [`${name}/${file}`, text]))
    const root = write(makeFolder(), {
      ...of('checkpoint_0', { ...rest, 'unet/diffusion_pytorch_model.safetensors': 'x' }),
      ...of('checkpoint_1', { ...rest, 'pytorch_lora_weights.safetensors': 'x' }),
      ...of('checkpoint_2', { ...rest, 'pytorch_model_fsdp_0/.metadata': 'x' }),
      ...of('checkpoint_3', { ...rest, 'scheduler.bin': 'x', 'custom_checkpoint_0.pkl': 'x' }),
      ...of('checkpoint_4', { 'optimizer_0/.metadata': 'x', 'random_states_0.pkl': 'x' }),
    })
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(checkpoints.map(({ name, health }) => `${name} ${health.grade}`)).toEqual([
      'checkpoint_0 unchecked',
      'checkpoint_1 unchecked',
      'checkpoint_2 unchecked',
      'checkpoint_3 partial',
      'checkpoint_4 partial',
    ])
  })

  it('can be gone on from, but not exactly, where states of processes are not there that the saves around it have', async () => {
    const of = (name: string, ...ranks: readonly number[]) =>
      ['model.safetensors', 'optimizer.bin', ...ranks.map((rank) => `random_states_${rank}.pkl`)].map((file) => [`${name}/${file}`, 'x']) // prettier-ignore
    const lacking = async (...saves: readonly (readonly number[])[]) => {
      const files = saves.flatMap((ranks, save) => of(`checkpoint_${save}`, ...ranks))
      const root = write(makeFolder(), Object.fromEntries(files) as Record<string, string>)
      const { checkpoints } = await loadRun(localStorage(), root)
      expect(checkpoints.every(isResumable)).toBe(true)
      return checkpoints.flatMap(({ name, lacks }) => (lacks === undefined ? [] : [`${name}: ${lacks.join()}`]))
    }
    const part = 'random state of each process'
    expect(await lacking([0, 1], [0, 1], [0])).toEqual([`checkpoint_2: ${part}`])
    expect(await lacking([0, 1], [0], [0, 1])).toEqual([`checkpoint_1: ${part}`])
    // A start with fewer processes, and one with more.
    expect(await lacking([0, 1], [0], [0])).toEqual([])
    expect(await lacking([0], [0], [0, 1])).toEqual([])
  })

  it('has the step in the names that scripts give, checkpoint-<step> among them, and none where it counts its saves', async () => {
    const names = ['checkpoint_7', 'checkpoint-500', 'checkpoint-20', 'step_30', 'run-step=40']
    const files = names.flatMap((name) => ['model.safetensors', 'optimizer.bin', 'random_states_0.pkl'].map((file) => [`${name}/${file}`, 'x'])) // prettier-ignore
    const root = write(makeFolder(), Object.fromEntries(files) as Record<string, string>)
    const { checkpoints } = await loadRun(localStorage(), root)
    expect(Object.fromEntries(checkpoints.map(({ name, step }) => [name, step]))).toEqual({
      checkpoint_7: null,
      'checkpoint-500': 500,
      'checkpoint-20': 20,
      step_30: 30,
      'run-step=40': 40,
    })
  })
})
