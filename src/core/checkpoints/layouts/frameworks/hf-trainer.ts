/**
 * Hugging Face Trainer: a folder `checkpoint-<global step>` with the weights, what is needed to resume, and
 * `trainer_state.json`, which is written last of all. Diffusers' and accelerate's scripts use the same names without it.
 * Source: transformers/trainer.py (`_save_checkpoint`, `_save_optimizer_and_scheduler`, `_save_rng_state`),
 * trainer_utils.py.
 */
import type { Checkpoint, Part } from '../../../checkpoint.js'
import type { Unit } from '../engine/unit-paths.js'
import type { LayoutSpec } from '../spec.js'
import { takesLargest } from '../resume-search.js'
import { isOfPointers } from './git-lfs.js'
import { bestByState, judgeOfState, tellTrainerState } from './trainer-state.js'

const numbered = /^checkpoint-(?<step>\d+)$/
/** With `hub_strategy="checkpoint"` the repository on the Hub has the last one under this name (`_push_from_checkpoint`). */
const name = /^(?:checkpoint-(?<step>\d+)|last-checkpoint)$/
const stateFile = 'trainer_state.json'
const weights =
  /^(model|pytorch_model|adapter_model|tf_model|flax_model)([-.].*)?\.(safetensors|bin|h5|msgpack|index\.json)$/
const shardedWeights = /^pytorch_model_fsdp(_\d+)?(\.bin|\/)$/
const ownFiles = /^(training_args\.bin|optimizer\.pt|scheduler\.pt|rng_state(_\d+)?\.pth)$/
/** Files that accelerate's `save_state` writes and the Trainer does not (accelerate/utils/constants.py). */
const foreignFiles =
  /^(random_states_\d+\.pkl|custom_checkpoint_\d+\.pkl|(sampler|scheduler|dl_state_dict)(_\d+)?\.bin)$/
/** DeepSpeed keeps the weights, or the precise ones, together with the optimizer's state. */
const deepSpeed = /^global_step\d+\/$/

export const hfTrainer: LayoutSpec = {
  id: 'hf-trainer',
  title: 'Hugging Face Trainer',
  looks: 'checkpoint-<step>/, or last-checkpoint/ of the Hub, with trainer_state.json',
  history: [{ from: 'trainer state' }],
  forms: [
    {
      kind: 'folder',
      name,
      proof: {
        sure: [{ file: stateFile }],
        likely: [
          {
            all: [
              { file: new RegExp(`${ownFiles.source}|${weights.source}|${shardedWeights.source}|${deepSpeed.source}`) },
              { not: { file: foreignFiles } },
              { not: { says: 'has nothing but pointers of Git LFS in their place', test: isOfPointers } },
            ],
          },
        ],
        bare: [{ all: [{ file: /^/ }, { not: { file: foreignFiles } }] }],
        orUnreadable: true,
      },
      whole: {
        last: stateFile,
        // transformers/trainer_jit_checkpoint.py: while it saves after a SIGTERM, be it once more into a finished folder.
        unfinished: /^checkpoint-is-incomplete\.txt$/,
        byHand: isModelAlone,
        writer: 'the Trainer',
        needs: [
          {
            any: [
              /\/$/,
              /^(?!(optimizer|scheduler|scaler|rng_state(_\d+)?|training_args)\.\w+$).+\.(safetensors|bin|pt|pth|ckpt|h5|msgpack)$/,
            ],
            reason: 'no model weights are there',
          },
        ],
      },
      facts: [{ from: 'bytes', file: stateFile, tell: tellTrainerState, limit: 128 << 20 }, { from: 'name' }],
      files: [
        { name: deepSpeed, role: 'all' },
        { name: /^optimizer_\d+\/$/, role: 'resume' },
        { name: /^(scaler\.pt)$/, role: 'resume', optional: true },
        { name: /^(optimizer\.(pt|bin)|scheduler\.pt|rng_state(_\d+)?\.pth)$/, role: 'resume' },
        { name: /^trainer_state\.json$/, role: 'loop', unlisted: true },
        { name: /^(.+)\.(safetensors|bin)\.index\.json$/, role: 'index' },
        { name: shardedWeights, role: 'weights' },
        { name: weights, role: 'weights' },
        { name: /(scaler|dataloader).*\.(safetensors|bin|pt|pth|ckpt|h5|msgpack)$/, role: 'other', optional: true },
        { name: /\.(safetensors|bin|pt|pth|ckpt|h5|msgpack)$/, role: 'other' },
      ],
      lacks,
    },
  ],
  namedBy: bestByState,
  judge: judgeOfState,
  leftover,
  lacksAlone,
  // Whatever is in it (trainer_utils.py, `get_last_checkpoint`).
  resumesFrom: takesLargest('resume_from_checkpoint=True', 'directory', numbered),
}

/**
 * The Trainer loads the optimizer and the scheduler together or begins both anew, without a word
 * (`_load_optimizer_and_scheduler`); DeepSpeed's folder has both. Without the random state it goes on with other random
 * numbers.
 */
function lacks({ entries }: Unit): Part[] {
  const has = (pattern: RegExp): boolean => entries.some((entry) => pattern.test(entry.name))
  const isEntangled = has(/^global_step\d+$/)
  return [
    ...(isEntangled || has(/^optimizer(_\d+)?(\.(pt|bin)(_\d+)?)?$/) ? [] : (['optimizer'] as const)),
    ...(isEntangled || has(/^scheduler\.pt$/) ? [] : (['scheduler'] as const)),
    ...(has(/^rng_state(_\d+)?\.pth$/) ? [] : (['random state'] as const)),
  ]
}

const partOfWeights = /-\d+-of-\d+\./

/**
 * A model as `save_pretrained` writes it: its config, and all of its weights, of which an index is the last where they are
 * in parts. A save has more beside it from the next file on.
 */
function isModelAlone({ entries }: Unit): boolean {
  const names = entries.map(({ name }) => name)
  return (
    names.some((name) => /^(adapter_)?config\.json$/.test(name)) &&
    names.some((name) => weights.test(name) && !partOfWeights.test(name)) &&
    !names.some((name) => ownFiles.test(name) || /^(optimizer|scaler|pytorch_model_fsdp|global_step)/.test(name))
  )
}

/** What a kill behind the model has left looks like a model alone; the state has a log, be it an empty one. */
function lacksAlone({ files, training }: Pick<Checkpoint, 'files' | 'training'>): string | null {
  return training === undefined && !files.some(({ role }) => role === 'resume') ? `no ${stateFile}` : null
}

/** transformers 4.36 to 4.38 save into `tmp-checkpoint-…` and rename it (trainer.py, `_save_checkpoint`). */
function leftover(folder: string, inside: readonly unknown[] | null): string | null {
  if (inside === null) return null
  if (folder.startsWith('tmp-checkpoint-')) {
    return 'the staging folder of a save that never finished: the Trainer renames it when all is written'
  }
  return numbered.test(folder) && inside.length === 0 ? 'an empty folder: the save had only begun' : null
}
