/**
 * DeepSpeed's `save_checkpoint` (deepspeed/runtime/engine.py): a folder named by a tag, `global_step<N>` unless the
 * script says otherwise, with the model states and one file of optimizer states a rank; `latest` beside it names the tag
 * once all ranks were through. The script's `client_state` lies among the keys of the model states. In stage 3 the
 * weights are only in the optimizer states (utils/zero_to_fp32.py).
 */
import type { Meta } from '../../../checkpoint.js'
import type { Unit } from '../engine/unit-paths.js'
import type { LayoutSpec } from '../spec.js'

const modelStates = /^(?:zero_pp_rank_0_)?mp_rank_00(?:_\d+)?_model_states\.pt$/
const optimStates = /^[^/]+_optim_states\.pt$/
/** Keys of DeepSpeed's own (engine.py, `_save_checkpoint`), and what counts or times and measures nothing. */
const ownKeys =
  /^(module|buffer_names|optimizer|param_shapes|frozen_param_\w+|shared_params|lr_scheduler|data_sampler|random_ltd|sparse_tensor_module_names|skipped_steps|global_steps|global_samples|dp_world_size|mp_world_size|num_experts|checkpoint_parallel_dimensions|ds_config|ds_version|iteration|step)$/

export const deepSpeed: LayoutSpec = {
  id: 'deepspeed',
  title: 'DeepSpeed',
  looks: '<tag>/ with mp_rank_00_model_states.pt and *_optim_states.pt, and latest beside it',
  forms: [
    {
      kind: 'folder',
      name: /^(?:global_step(?<step>\d+)$)?/,
      proof: {
        sure: [{ file: /^[^/]+_model_states\.pt$/ }],
        typical: /^global_step\d+$/,
        likely: [{ file: optimStates }],
      },
      whole: {
        needs: [{ any: [/_model_states\.pt$/], reason: 'no model states are there' }],
        expects: expectedRanks,
      },
      facts: [
        {
          from: 'torch',
          file: modelStates,
          take: { step: 'global_steps', '#ranks': 'dp_world_size', '#parallel': 'mp_world_size' },
          // WeNet's metrics lie in `loss_dict`.
          spread: [[], 'metrics', 'loss_dict'],
          leave: ownKeys,
          has: { '#optimizer': 'optimizer' },
          lazy: true,
        },
        { from: 'name' },
      ],
      // A script may save the module alone, and without ZeRO the optimizer lies in the model states.
      resumable: ({ entries }, facts) =>
        facts.get('#optimizer') !== false || entries.some(({ name }) => name.endsWith('_optim_states.pt')),
      files: [
        { name: /^zero_pp_rank_.*_model_states\.pt$/, role: 'all' },
        { name: /_model_states\.pt$/, role: 'weights' },
        // With ZeRO they hold the precise weights too.
        { name: optimStates, role: 'all' },
        { name: /^zero\/$/, role: 'weights', folder: true },
      ],
    },
  ],
  pointers: [
    { file: 'latest', holds: 'name', purpose: 'resume', endsSave: true, onDelete: 'rewrite' },
    { file: 'latest_universal', holds: 'name', purpose: 'resume', onDelete: 'rewrite' },
  ],
}

/**
 * What ds_to_universal.py makes: each parameter with its states in a folder below `zero`, for any number of ranks. A
 * job goes on from it only where its settings say so (`load_universal`), so that it does not count as resumable.
 */
function isUniversal(entries: Unit['entries']): boolean {
  return entries.some(({ name, kind }) => name === 'zero' && kind === 'directory')
}

/** One file of optimizer states a data-parallel rank, named as those that are there. */
function expectedRanks({ entries }: Unit, facts: Meta): string[] {
  const ranks = facts.get('#ranks')
  const some = entries.find(({ name }) => /zero_pp_rank_\d+_mp_rank_\d+_optim_states\.pt$/.test(name))?.name
  const stage3 = entries.some(({ name }) => /^zero_pp_rank_\d+_mp_rank_\d+_model_states\.pt$/.test(name))
  if (typeof ranks !== 'number' || ranks > mostRanks) return []
  const own = facts.get('#optimizer') === true
  const pattern = some ?? (own || isUniversal(entries) ? undefined : 'zero_pp_rank_0_mp_rank_00_optim_states.pt')
  const of = (name: string): string[] =>
    Array.from({ length: ranks }, (_, rank) => name.replace(/zero_pp_rank_\d+/, `zero_pp_rank_${rank}`))
  return [
    ...(pattern === undefined ? [] : of(pattern)),
    ...(stage3 ? of('zero_pp_rank_0_mp_rank_00_model_states.pt') : []),
  ]
}

/** No cluster has more; a number from a file is not believed. */
const mostRanks = 100_000
