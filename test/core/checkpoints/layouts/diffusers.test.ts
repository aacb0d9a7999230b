import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from './folders.js'

/** What `save_state` writes behind the models. */
const state = { 'optimizer.bin': 'x', 'scheduler.bin': 'x', 'random_states_0.pkl': 'x' }

function model(folder: string): Record<string, string> {
  return { [`${folder}/config.json`]: '{}', [`${folder}/diffusion_pytorch_model.safetensors`]: 'x' }
}

function of(name: string, files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([file, text]) => [`${name}/${file}`, text]))
}

async function checkpointsOf(files: Record<string, string>): Promise<readonly Checkpoint[]> {
  return (await loadRun(localStorage(), write(makeFolder(), files))).checkpoints
}

function graded(checkpoints: readonly Checkpoint[]): string[] {
  return checkpoints.map(({ name, layout, health }) => `${name} ${layout} ${health.grade}`)
}

function weightsOf(checkpoint: Checkpoint | undefined): (string | undefined)[] | undefined {
  return checkpoint?.files.filter(({ role }) => role === 'weights').map(({ key }) => key)
}

describe("a checkpoint of diffusers' scripts", () => {
  it.each([
    ['vqmodel', 'vqmodel_ema', 'discriminator'],
    ['autoencoderkl', 'autoencoderkl_ema'],
    ['flux_controlnet'],
    ['unet_target', 'unet', 'unet_teacher'],
    ['transformer', 'ema_model'],
  ])('has the models that the script calls %s', async (...models) => {
    const whole = Object.assign({}, ...models.map(model), state) as Record<string, string>
    const checkpoints = await checkpointsOf({
      ...of('checkpoint-500', whole),
      ...of('checkpoint-1000', { [`${models[0]}/config.json`]: '{}' }),
    })
    expect(graded(checkpoints)).toEqual(['checkpoint-500 diffusers unchecked', 'checkpoint-1000 diffusers unfinished'])
    expect(weightsOf(checkpoints[0])).toEqual(models.map((one) => `${one}/diffusion_pytorch_model`).sort())
  })

  it('has an adapter in a folder of its own, and what a hook saves beside its models', async () => {
    const checkpoints = await checkpointsOf({
      ...of('checkpoint-10', { 'unet_lora/pytorch_lora_weights.safetensors': 'x', ...state }),
      ...of('checkpoint-20', { ...model('transformer'), 'disc_heads.pt': 'x', ...state }),
    })
    expect(graded(checkpoints)).toEqual(['checkpoint-10 diffusers unchecked', 'checkpoint-20 diffusers unchecked'])
    expect(checkpoints.map(weightsOf)).toEqual([
      ['unet_lora/pytorch_lora_weights'],
      ['disc_heads', 'transformer/diffusion_pytorch_model'],
    ])
  })

  it('is whole with a folder of its own that has a config.json and weights under any name', async () => {
    const checkpoints = await checkpointsOf({
      ...of('checkpoint-10', { ...model('unet'), 'mine/config.json': '{}', 'mine/w.pt': 'x', ...state }),
      ...of('checkpoint-20', { ...model('unet'), 'mine/config.json': '{}', ...state }),
    })
    expect(graded(checkpoints)).toEqual(['checkpoint-10 diffusers unchecked', 'checkpoint-20 diffusers partial'])
  })

  it("is Accelerate's without a model of diffusers', and unfinished when a save was cut short", async () => {
    const checkpoints = await checkpointsOf({
      ...of('checkpoint-500', { 'model.safetensors': 'x', ...state }),
      ...of('checkpoint-1000', { 'model.safetensors': 'x' }),
      'learned_embeds.safetensors': 'x',
    })
    expect(graded(checkpoints)).toEqual([
      'checkpoint-500 accelerate unchecked',
      'checkpoint-1000 accelerate unfinished',
    ])
  })

  it("is not asked of a Trainer's checkpoint, which has folders under any name", async () => {
    const [trainers] = await checkpointsOf(
      of('checkpoint-10', { 'trainer_state.json': '{}', 'model.safetensors': 'x', 'parts/model.bin': 'x' }),
    )
    expect(trainers?.layout).toBe('hf-trainer')
    expect(trainers?.files.map(({ key }) => key)).toEqual(['model'])
  })
})
