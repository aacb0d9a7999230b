/**
 * diffusers' training scripts (examples/, through Accelerate's `save_state` with hooks): `checkpoint-<step>/` with one
 * folder a model (`unet/config.json`, `unet/diffusion_pytorch_model.safetensors`), or LoRA weights, then the optimizer,
 * the scheduler and, last, the random states. The step stands in the name alone; no metric is kept. A script counts and
 * removes every name that begins with `checkpoint`.
 */
import type { Checkpoint, Finding } from '../../../checkpoint.js'
import type { DirectoryEntry } from '../../../storage/storage.js'
import type { Unit } from '../engine/unit-paths.js'
import type { LayoutSpec } from '../spec.js'
import { lacksOptimizer, stateFiles } from './accelerate.js'
import { takesLargest } from '../resume-search.js'

/**
 * A model each, under whatever name a script's hook gives it: `vqmodel`, `flux_controlnet`, `unet_lora`, `ema_model`.
 * The others are of Accelerate with FSDP or DeepSpeed.
 */
const models = /^(?!optimizer|pytorch_model|global_step)[a-zA-Z]\w*$/

const adapter = /^(?:\w+\/)?pytorch_lora_weights\.(?:safetensors|bin)$/

export const diffusers: LayoutSpec = {
  id: 'diffusers',
  title: 'diffusers',
  looks: 'checkpoint-<step>/ with unet/ (or another model) and random_states_0.pkl',
  lacksAlone,
  mayLackMore: true,
  resumesFrom: takesLargest('--resume_from_checkpoint latest', 'directory', /^checkpoint-(\d+)$/),
  forms: [
    {
      kind: 'folder',
      name: /^checkpoint-(?<step>\d+)$/,
      below: models,
      proof: {
        sure: [
          { file: /^\w+\/diffusion_pytorch_model.*\.(safetensors|bin)$/ },
          { file: /^\w+\/diffusion_flax_model\.msgpack$/ },
          { file: adapter },
        ],
        likely: [{ file: /^random_states_\d+\.pkl$/ }],
        never: [{ file: 'trainer_state.json' }],
        // A script takes the largest step whatever is in it: also what a kill left before the model was written.
        bare: [{ file: /^/ }],
      },
      whole: {
        last: /^random_states_\d+\.pkl$/,
        lastName: 'random_states_0.pkl',
        byHand: isModelAlone,
        check: ({ entries }) => findHalfModels(entries),
      },
      files: [
        { name: /^\w+\/(diffusion_\w+_model|model|pytorch_model)[^/]*\.(safetensors|bin|msgpack)$/, role: 'weights' },
        { name: adapter, role: 'weights' },
        // Weights of a script's own, and what makes the model.
        { name: /^(?!optimizer|pytorch_model|global_step)[a-zA-Z]\w*\/$/, role: 'weights' },
        ...stateFiles,
      ],
      lacks: lacksOptimizer,
    },
  ],
}

/** Of a script's own, beside a config.json that may be anything. */
const dataOf = /\.(?:pt|pth|ckpt|h5|npz|onnx|distcp)$/
const weightsOf = /\/(?:diffusion_\w+_model|model|pytorch_model)[^/]*\.(?:safetensors|bin|msgpack)(?:\.index\.json)?$/

/** A model is loaded from its folder by both: what it is (`save_pretrained` writes that first), and its weights. */
function findHalfModels(entries: readonly DirectoryEntry[]): Finding[] {
  const folders = new Set(entries.flatMap(({ name }) => /^(.*\/)/.exec(name)?.[1] ?? []))
  return [...folders].flatMap((folder): Finding[] => {
    const inside = entries.filter(({ name }) => name.startsWith(folder)).map(({ name }) => name)
    const hasWeights = inside.some((name) => weightsOf.test(name))
    const hasConfig = inside.includes(`${folder}config.json`)
    if (hasWeights === hasConfig || inside.some((name) => dataOf.test(name))) return []
    return hasConfig
      ? [{ grade: 'partial', file: folder, reason: 'its config.json is there and no weights are' }]
      : [{ grade: 'partial', file: `${folder}config.json`, reason: 'not there; the model is made by it' }]
  })
}

const ofTraining = /^(optimizer|scheduler|scaler|sampler|random_states|custom_checkpoint|dl_state_dict)(_\d+)?\b/
/**
 * A model in its folder, or an adapter, as people give it away under the name of its checkpoint. The first save of a job
 * that was cut off behind the model is the same: only the journal tells.
 */
function isModelAlone({ entries }: Unit): boolean {
  const names = entries.map(({ name }) => name)
  if (names.some((name) => ofTraining.test(name))) return false
  return names.some((name) => adapter.test(name) || weightsOf.test(name)) && findHalfModels(entries).length === 0
}

function lacksAlone({ files }: Pick<Checkpoint, 'files'>): string | null {
  return files.some(({ role }) => role === 'resume') ? null : 'no random_states_0.pkl'
}
