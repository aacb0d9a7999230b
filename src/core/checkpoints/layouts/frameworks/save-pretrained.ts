/**
 * What scripts save with `save_pretrained` of transformers and PEFT (transformers/modeling_utils.py, peft/peft_model.py),
 * into folders that count: `epoch_3/` with `config.json` or `adapter_config.json` and the weights. It is a model alone;
 * what a script puts beside it to go on from is its own. Other programs have a `config.json` too, and people put models
 * of many trainings side by side: what the file says decides, and whether the models are of one kind.
 */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { ofOneSeries } from '../engine/one-series.js'
import type { Has, LayoutSpec, Reading, Taken, Unit } from '../spec.js'
import { isOfPointers } from './git-lfs.js'

const config = /^(?:adapter_)?config\.json$/
const weights =
  /^(?:(?:model|adapter_model)(?:[-.][\w.-]+)?\.safetensors|(?:pytorch_model|adapter_model)(?:[-.][\w.-]+)?\.bin)$/
const countWord = '(?:epoch|ep|steps?|iter|iteration|ckpt|checkpoint)[-_=.]?'
const counts = new RegExp(`(?:^|[-_.])${countWord}\\d`, 'i')
/** What is half written, thrown away, or the Trainer's. */
const isNotOthers = '(?!.*(?:checkpoint-\\d|tmp|temp|partial|incomplete|unfinished|trash))'

const ofTransformers = ['model_type', 'architectures', 'transformers_version'].map((key): Has => ({
  json: [key],
  of: 'config.json',
}))
const ofPeft: Has = { json: ['peft_type'], of: 'adapter_config.json' }
const weightsThemselves: readonly Has[] = [
  { file: weights },
  { not: { says: 'has nothing but pointers of Git LFS in their place', test: isOfPointers } },
]

export const savePretrained: LayoutSpec = {
  id: 'save-pretrained',
  title: 'Hugging Face save_pretrained',
  looks: 'epoch_<N>/, step_<N>/ and the like with config.json or adapter_config.json, and weights',
  forms: [
    {
      kind: 'folder',
      name: new RegExp(`^${isNotOthers}(?:[\\w.=-]*?[-_.])?${countWord}\\d+$`, 'i'),
      proof: {
        // Many frameworks save a model so within a checkpoint of theirs.
        sure: [],
        likely: [ofPeft, ...ofTransformers].map((has): Has => ({ all: [...weightsThemselves, has] })),
        // What somebody cloned or downloaded there (huggingface_hub, `local_dir`).
        never: [{ file: '.git/' }, { file: '.cache/' }],
      },
      facts: [
        { from: 'name', words: true },
        { from: 'json', file: config, pick: (content) => new Map([['#kind', kindOf(content)]]) },
      ],
      files: [
        { name: /\.index\.json$/, role: 'index' },
        { name: weights, role: 'weights' },
        { name: /^(?:optimizer|scheduler|scaler|rng_state|training_state)\b.*\.(?:pt|bin|pth)$/, role: 'resume' },
      ],
      resumable: ({ entries }) =>
        entries.some(({ name }) => /^(?:optimizer|training_state)\b.*\.(?:pt|bin|pth)$/.test(name)),
    },
  ],
  read: (taken) => Promise.resolve(ofOneTraining(taken)),
}

const kinds =
  /^(?:model_type|hidden_size|d_model|n_embd|num_hidden_layers|n_layers?|num_layers|peft_type|r|task_type|base_model_name_or_path)$/

/** What is the same in all models of one training. */
function kindOf(content: Meta): MetaValue {
  const said = [...content].map(([key, value]) => (kinds.test(key) && isPlain(value) ? `${key}=${value}` : ''))
  return said.sort().join(' ').trim()
}

function isPlain(value: MetaValue): value is string | number {
  return typeof value === 'string' || typeof value === 'number'
}

function ofOneTraining(taken: readonly Taken[]): ReadonlyMap<Unit, Reading> {
  const series = ofOneSeries(taken, ({ unit }) => unit.name, counts)
  // A folder that cannot be read says no kind, and must not take the others with it.
  const areOfOneKind = new Set(series.flatMap(({ facts }) => facts.get('#kind') ?? [])).size < 2
  return new Map(
    (areOfOneKind ? series : []).map(({ unit, facts }) => [
      unit,
      { meta: new Map([...facts].filter(([key]) => !key.startsWith('#'))) },
    ]),
  )
}
