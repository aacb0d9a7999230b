/**
 * torchtune (torchtune/training/checkpointing/_checkpointer.py): `epoch_<N>/` or `step_<N>/`, N from 0, with the model's
 * shards and copies of the base model's other files. What resuming needs is one `recipe_state/recipe_state.pt` for all
 * of them, of the newest intermediate epoch, or `recipe_state.pt` within (newer versions).
 */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import type { FactSource, Form, LayoutSpec } from '../spec.js'

const shared: FactSource = {
  from: 'torch',
  beside: 'recipe_state/recipe_state.pt',
  take: { '#epochsRun': 'epochs_run', '#stepsRun': 'steps_run' },
}

const common: Omit<Form, 'name'> = {
  kind: 'folder',
  proof: {
    sure: [
      { file: 'recipe_state.pt' },
      { all: [{ file: /^(ft-)?model.*\.(safetensors|index\.json|bin)$/ }, { beside: 'recipe_state/' }] },
      { all: [{ file: /^adapter_model\.(safetensors|pt)$/ }, { beside: 'recipe_state/' }] },
      { file: /^(hf_model|ft-model)[-_]\d+.*\.(pt|safetensors|bin)$/ },
    ],
    likely: [{ file: /^(ft-)?model-\d+-of-\d+\.(safetensors|bin)$/ }],
  },
  facts: [{ from: 'name' }, shared],
  files: [
    { name: /\.index\.json$/, role: 'index' },
    { name: /^(ft-model|model|hf_model|adapter_model).*\.(safetensors|bin|pt)$/, role: 'weights' },
    { name: /^recipe_state\.pt$/, role: 'resume', optional: true },
  ],
  resumable: (unit, facts) =>
    unit.entries.some(({ name }) => name === 'recipe_state.pt') || belongsTo(facts, facts.get('epoch')),
}

export const torchtune: LayoutSpec = {
  id: 'torchtune',
  title: 'torchtune',
  looks: 'epoch_<N>/ or step_<N>/ with model shards, and recipe_state/',
  forms: [
    { ...common, name: /^epoch_(?<epoch>\d+)$/ },
    { ...common, name: /^step_(?<step>\d+)$/ },
  ],
  needs: (there) =>
    new Map(
      there.flatMap(({ name, facts }): [string, string][] =>
        belongsTo(facts, facts.get('epoch')) ? [[name, 'recipe_state.pt, which all share, goes with it']] : [],
      ),
    ),
}

/** `epochs_run` counts what is done, folders from 0. */
function belongsTo(facts: Meta, epoch: MetaValue | undefined): boolean {
  const run = facts.get('#epochsRun')
  return typeof run === 'number' && typeof epoch === 'number' && run === epoch + 1
}
