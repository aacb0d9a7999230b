import { describe, expect, it } from 'vitest'
import { resumeOnly } from '../../../../src/core/checkpoints/layouts/index.js'

function dropped(layout: string, names: readonly string[]): readonly string[] {
  const entries = names.map((name) => {
    return name.endsWith('/')
      ? ({ name: name.slice(0, -1), kind: 'directory' } as const)
      : ({ name, kind: 'file' } as const)
  })
  return resumeOnly(layout, entries)
}

describe('what only resuming needs', () => {
  it.each([
    'optimizer',
    'model_optimizer',
    'modelopt',
    'adam',
    'lr_annealing',
    'lr_annealing_model',
    'lr_annealing_wav2vec',
    'noam_scheduler',
    'scheduler',
    'scaler',
    'rng',
    'rng_state',
  ])('of SpeechBrain is %s', (key) => {
    expect(dropped('speechbrain', ['CKPT.yaml', 'model.ckpt', `${key}.ckpt`])).toEqual([`${key}.ckpt`])
  })

  it.each([
    'model',
    'wav2vec',
    'opt',
    'feature_scaler',
    'scaler_mean',
    'normalizer',
    'counter',
    'brain',
    'dataloader-TRAIN',
    'tokenizer',
    'string',
    'adamant',
  ])('of SpeechBrain is not %s', (key) => {
    expect(dropped('speechbrain', ['CKPT.yaml', 'encoder.ckpt', `${key}.ckpt`])).toEqual([])
  })

  it('is nothing where nothing is left that could hold the weights', () => {
    const names = ['CKPT.yaml', 'optimizer.ckpt', 'counter.ckpt', 'brain.ckpt', 'dataloader-TRAIN.ckpt']
    expect(dropped('speechbrain', names)).toEqual([])
    expect(dropped('hf-trainer', ['optimizer.pt', 'scheduler.pt', 'trainer_state.json'])).toEqual([])
  })

  const hf = ['config.json', 'trainer_state.json', 'training_args.bin']
  const state = ['optimizer.pt', 'rng_state.pth', 'rng_state_1.pth', 'scaler.pt', 'scheduler.pt']

  it.each(['model.safetensors', 'pytorch_model.bin', 'model-00001-of-00002.safetensors', 'adapter_model.safetensors'])(
    "of the Trainer's, beside %s, is its optimizer, schedule, scaler and random numbers",
    (weights) => {
      expect(dropped('hf-trainer', [...hf, ...state, weights])).toEqual(state)
    },
  )

  it("of FSDP's is the optimizer's folder, and of DeepSpeed's nothing is known", () => {
    expect(dropped('hf-trainer', [...hf, 'pytorch_model_fsdp_0/', 'optimizer_0/'])).toEqual(['optimizer_0'])
    expect(dropped('hf-trainer', [...hf, ...state, 'model.safetensors', 'global_step5/', 'latest'])).toEqual([])
  })
})
