/**
 * What scripts save with `save_pretrained` of transformers and PEFT (transformers/modeling_utils.py, peft/peft_model.py),
 * into folders that count: `epoch_3/` with `config.json` or `adapter_config.json` and the weights. It is a model alone;
 * what a script puts beside it to go on from is its own.
 */
import type { LayoutSpec } from '../spec.js'

const weights = /^(?:model|pytorch_model|adapter_model)(?:[-.].*)?\.(?:safetensors|bin)$/

export const savePretrained: LayoutSpec = {
  id: 'save-pretrained',
  title: 'Hugging Face save_pretrained',
  looks: 'epoch_<N>/, step_<N>/ and the like with config.json or adapter_config.json, and weights',
  forms: [
    {
      kind: 'folder',
      name: /^(?!.*(?:checkpoint-\d|tmp|temp|partial|incomplete|unfinished|trash))(?:[\w.=-]*?[-_.])?(?:epoch|ep|steps?|iter|iteration|ckpt|checkpoint|adapter|lora)[-_=.]?\d+$/i,
      // Many frameworks save a model so within a checkpoint of theirs.
      proof: { sure: [], likely: [{ all: [{ file: /^(?:adapter_)?config\.json$/ }, { file: weights }] }] },
      facts: [{ from: 'name', words: true }],
      files: [
        { name: /\.index\.json$/, role: 'index' },
        { name: weights, role: 'weights' },
        { name: /^(?:optimizer|scheduler|scaler|rng_state|training_state)\b.*\.(?:pt|bin|pth)$/, role: 'resume' },
      ],
      resumable: ({ entries }) =>
        entries.some(({ name }) => /^(?:optimizer|training_state)\b.*\.(?:pt|bin|pth)$/.test(name)),
    },
  ],
}
