/**
 * Accelerate's `save_state`: a folder with the weights, the optimizer's state and, last, the random states
 * (accelerate/checkpointing.py, `save_accelerator_state`; accelerator.py, `save_state`). It keeps no metric and no
 * epoch; what the script registers for checkpointing lies in `custom_checkpoint_<i>.pkl`.
 */
import type { Part } from '../../../checkpoint.js'
import { countsIn } from '../engine/count-names.js'
import type { Unit } from '../engine/unit-paths.js'
import type { FileRule, Form, LayoutSpec } from '../spec.js'
import type { OwnStart, Standing } from '../layout.js'
import { takesLargest } from '../resume-search.js'

/** What `save_state` writes, whose ever the model is. */
export const stateFiles: readonly FileRule[] = [
  { name: /^(model|pytorch_model)(-.*)?\.(safetensors|bin)\.index\.json$/, role: 'index' },
  { name: /^(model|pytorch_model)([-_].*)?\.(safetensors|bin)$/, role: 'weights' },
  { name: /^pytorch_model_fsdp_\d+\/$/, role: 'weights' },
  { name: /^pytorch_model\/$/, role: 'all' },
  { name: /^optimizer(_\d+)?(\.bin|\/)$/, role: 'resume' },
  { name: /^scheduler(_\d+)?\.bin$/, role: 'resume' },
  { name: /^scaler\.pt$/, role: 'resume', optional: true },
  { name: /^random_states_\d+\.pkl$/, role: 'resume' },
  { name: /^(sampler|dl_state_dict)(_\d+)?\.bin$/, role: 'loop', optional: true },
  { name: /^custom_checkpoint_\d+\.pkl$/, role: 'loop' },
  // A hook of the script's own saves what is no model of Accelerate's: `disc_heads.pt`.
  { name: /^[\w-]+\.(?:safetensors|pt|pth|ckpt)$/, role: 'weights', optional: true },
]

/** The names that it gives itself (`automatic_checkpoint_naming`). */
const numbered = /^checkpoint_(?<save>\d+)$/

const taken = /^(?:checkpoint_(?<save>\d+)|checkpoint-(?<step>\d+))$/

const form: Form = {
  kind: 'folder',
  // Scripts, accelerate's examples among them, name theirs `step_<N>` and `epoch_<N>`, and `checkpoint-<step>` as diffusers'.
  name: /^(?:checkpoint_(?<save>\d+)$|(?:checkpoint-|(?:.*[-_.])?step[-_=]?)(?<step>\d+)$|(?:.*[-_.])?ep(?:och)?[-_=]?(?<epoch>\d+)$)?/,
  // Its own counter of saves, which is all that puts them in order.
  called: { save: '#save' },
  proof: {
    sure: [{ file: /^random_states_\d+\.pkl$/ }],
    likely: [
      {
        all: [
          { file: /^(optimizer|scheduler)(_\d+)?\.bin$/ },
          { file: /^(model|pytorch_model)(_\d+)?\.(safetensors|bin)$/ },
        ],
      },
    ],
    never: [{ file: 'trainer_state.json' }],
  },
  whole: {
    // The main process writes it last; the others write theirs while it still saves the model.
    last: /^random_states_0\.pkl$/,
    lastName: 'random_states_0.pkl',
    needs: [
      {
        // Hooks of `register_save_state_pre_hook` save models under names and in folders of a script's own.
        any: [
          /^(?!optimizer(_\d+)?\/$).+\/$/,
          /^(?!(optimizer|scheduler|scaler|sampler|dl_state_dict|random_states|custom_checkpoint)(_\d+)?\.\w+$).+\.(safetensors|bin|pt|pth|ckpt|pkl|msgpack|index\.json)$/,
        ],
        reason: 'no model weights are there',
      },
    ],
  },
  facts: [
    { from: 'torch', file: /^custom_checkpoint_\d+\.pkl$/, spread: [[]], pick: countsIn, lazy: true },
    { from: 'name' },
  ],
  files: stateFiles,
  lacks: lacksOptimizer,
}

export const accelerate: LayoutSpec = {
  id: 'accelerate',
  title: 'Accelerate',
  looks: 'checkpoint_<i>/, or any folder, with random_states_0.pkl',
  resumesFrom,
  leftover,
  cutSave,
  // accelerator.py, `save_state`: `register_for_checkpointing`.
  mayLackMore: true,
  forms: [
    // Under such a name `load_state` takes whatever is in it, and `--resume_from_checkpoint latest` of diffusers' scripts:
    // also what a kill left before there was an optimizer.
    { ...form, name: taken, proof: { ...form.proof, bare: [{ file: /^/ }] } },
    form,
  ],
}

/** Where it names them itself (accelerator.py, `load_state` without a path), or a script names them as diffusers' do. */
function resumesFrom(there: readonly Standing[]): readonly OwnStart[] {
  const own = takesLargest('load_state()', 'directory', numbered)(there)
  const scripts = takesLargest('--resume_from_checkpoint latest', 'directory', /^checkpoint-(\d+)$/)(there)
  return own.some(({ takes }) => takes !== null) || scripts.every(({ takes }) => takes === null) ? own : scripts
}

/** `save_state` refuses a name that is taken, so that the next start from nothing would fail. */
function leftover(folder: string, inside: readonly unknown[] | null): string | null {
  return numbered.test(folder) && inside?.length === 0 ? 'an empty folder: the save had only begun' : null
}

/** A model by its name alone is anybody's; `save_state` writes it first. */
function cutSave(folder: string, inside: readonly { readonly name: string }[]): string | null {
  if (!numbered.test(folder) || inside.some(({ name }) => name === 'random_states_0.pkl')) return null
  return 'no random_states_0.pkl is there, which Accelerate writes last: the first save of a job was cut short'
}

/** `load_state` opens the file of each optimizer; FSDP and DeepSpeed have folders of their own. */
export function lacksOptimizer({ entries }: Unit): Part[] {
  return entries.some(({ name }) => /^optimizer(?:_\d+)?(?:\.bin)?$|^pytorch_model$/.test(name)) ? [] : ['optimizer']
}
