/**
 * torchtune (torchtune/training/checkpointing/_checkpointer.py): `epoch_<N>/` (N from 0) or `step_<N>/` (N updates done)
 * with the model's shards and copies of the base model's other files. What resuming needs is one
 * `recipe_state/recipe_state.pt` for all of them, of the newest intermediate one, or `recipe_state.pt` within (newer
 * versions); the last of a training has none. Saved in the background it is torch.distributed.checkpoint, in
 * `dist_epoch_<N>/` or beside `recipe_state.pt`.
 */
import type { Finding, Meta } from '../../../checkpoint.js'
import { takesLargest } from '../resume-search.js'
import type { FactSource, Form, Has, LayoutSpec, Unit } from '../spec.js'
import { resumeKeysIn } from './dcp-keys.js'

const shared: FactSource = {
  from: 'torch',
  beside: 'recipe_state/recipe_state.pt',
  take: { '#epochsRun': 'epochs_run', '#stepsRun': 'steps_run' },
}

const shard = /\.distcp$/
const weights: Has = { file: /^((ft-)?model|adapter_model).*\.(safetensors|index\.json|bin|pt)$/ }

const common: Omit<Form, 'name'> = {
  kind: 'folder',
  proof: {
    sure: [
      { file: 'recipe_state.pt' },
      { all: [weights, { beside: 'recipe_state/' }] },
      // `tune download` writes it, and each checkpoint has a copy.
      { all: [weights, { file: 'original_repo_id.json' }] },
      { file: /^(hf_model|ft-model)[-_]\d+.*\.(pt|safetensors|bin)$/ },
    ],
    likely: [{ file: /^(ft-)?model-\d+-of-\d+\.(safetensors|bin)$/ }],
    bare: [weights],
  },
  whole: { check: unfinishedShards },
  facts: [{ from: 'name' }, shared],
  files: [
    { name: /\.index\.json$/, role: 'index', optional: true },
    { name: /^(ft-model|model|hf_model|adapter_model).*\.(safetensors|bin|pt)$/, role: 'weights', optional: true },
    { name: /^adapter_model\/$/, role: 'weights' },
    { name: shard, role: 'all', optional: true },
    { name: /^\.metadata$/, role: 'index', unlisted: true },
    { name: /^recipe_state\.pt$/, role: 'resume', optional: true },
  ],
  resumable: (unit, facts) => unit.entries.some(({ name }) => name === 'recipe_state.pt') || isOfShared(facts),
}

export const torchtune: LayoutSpec = {
  id: 'torchtune',
  title: 'torchtune',
  looks: 'epoch_<N>/ or step_<N>/ with model shards, and recipe_state/',
  holdsNoRun: (name) => name === 'recipe_state',
  // `get_largest_iter_folder` and `get_most_recent_checkpoint`: steps only where there are no epochs; and a training that
  // saves in the background goes by those saves alone (`_get_latest_intermediate_checkpoint`), its last one is no start.
  resumesFrom: (there) => {
    const ways = [/^dist_epoch_(\d+)/, /^epoch_(\d+)/, /^step_(\d+)/]
    const starts = ways.map((way) => takesLargest('resume_from_checkpoint', 'directory', way)(there))
    return starts.find(([start]) => start?.takes !== null) ?? starts.flat().slice(0, 1)
  },
  forms: [
    { ...common, name: /^epoch_(?<epoch>\d+)$/ },
    { ...common, name: /^step_(?<step>\d+)$/ },
    {
      ...common,
      name: /^dist_epoch_(?<epoch>\d+)$/,
      proof: { sure: [{ all: [{ file: '.metadata' }, { file: shard }] }], likely: [{ file: shard }] },
      facts: [{ from: 'name' }, { from: 'text', file: '.metadata', lazy: true, pick: resumeKeysIn }],
      resumable: (_, facts) => facts.get('#resumable') !== false,
    },
  ],
  needs: (there) =>
    new Map(
      there.flatMap(({ name, facts }): [string, string][] =>
        isOfShared(facts) ? [[name, 'recipe_state.pt, which all share, goes with it']] : [],
      ),
    ),
}

/** The recipe state that all share was saved with this one. `epochs_run` counts what is done, folders from 0. */
function isOfShared(facts: Meta): boolean {
  const [epoch, step] = [facts.get('epoch'), facts.get('step')]
  const [epochs, steps] = [facts.get('#epochsRun'), facts.get('#stepsRun')]
  if (typeof step === 'number') return steps === step
  return typeof epoch === 'number' && epochs === epoch + 1
}

/** `.metadata` comes after all shards, also of an adapter's own in `adapter_model/`. */
function unfinishedShards({ entries }: Unit): readonly Finding[] {
  const names = new Set(entries.map(({ name }) => name))
  const folders = new Set(
    [...names].flatMap((name) => (name.endsWith('.distcp') ? [name.slice(0, name.lastIndexOf('/') + 1)] : [])),
  )
  return [...folders].flatMap((folder): Finding[] => {
    const file = `${folder}.metadata`
    return names.has(file) ? [] : [{ grade: 'unfinished', file, reason: 'not there; it is written after the shards' }]
  })
}
