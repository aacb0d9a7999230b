/**
 * Megatron-LM (megatron/training/checkpointing.py, megatron/core/dist_checkpointing): `iter_<7 digits>/` or `release/`,
 * with a folder a rank (`mp_rank_00/model_optim_rng.pt`), or as torch.distributed.checkpoint with `metadata.json`, which
 * is written when all is there. `latest_checkpointed_iteration.txt` is written last of all: a number, or `release`.
 */
import type { Form, Has, LayoutSpec } from '../spec.js'
import { resumeKeysIn } from './dcp-keys.js'

/** What `dist_checkpointing.save` of Megatron-Core writes into any folder. */
const distributed: Has = { all: [{ file: /\.distcp$/ }, { json: ['sharded_backend'], of: 'metadata.json' }] }

const form: Omit<Form, 'name' | 'proof'> = {
  kind: 'folder',
  below: /^mp_rank_\d+/,
  whole: {
    needs: [
      {
        any: [/^mp_rank_\d+(_\d+)*\/model_(optim_)?rng\.pt$/, 'metadata.json', '.metadata'],
        reason: 'neither a rank’s model_optim_rng.pt nor metadata.json, which is written last, is there',
      },
    ],
  },
  facts: [
    { from: 'name' },
    {
      from: 'torch',
      file: /^mp_rank_\d+(_\d+)*\/model_(optim_)?rng\.pt$/,
      has: { '#optimizer': 'optimizer' },
      lazy: true,
    },
    { from: 'text', file: '.metadata', lazy: true, pick: resumeKeysIn },
  ],
  // With --no-save-optim there is none.
  resumable: ({ entries }, facts) =>
    facts.get('#resumable') !== false &&
    (facts.get('#optimizer') !== false || entries.some(({ name }) => /\/(?:distrib_)?optim\.pt$/.test(name))),
  files: [
    { name: /^mp_rank_\d+(_\d+)*\/.*\.pt$/, role: 'all' },
    { name: /^mp_rank_\d+(_\d+)*\/$/, role: 'all' },
    { name: /\.distcp$/, role: 'all' },
    { name: /^(\.metadata|metadata\.json)$/, role: 'index', unlisted: true },
    { name: /^common\.pt$/, role: 'loop', optional: true },
    { name: /^integrity\.json$/, role: 'other', unlisted: true },
  ],
}

export const megatron: LayoutSpec = {
  id: 'megatron',
  title: 'Megatron',
  looks: 'iter_<7 digits>/ with mp_rank_00/ or metadata.json, and latest_checkpointed_iteration.txt',
  forms: [
    {
      ...form,
      name: /^(?:iter_(?<step>\d{7,})|release)$/,
      proof: {
        sure: [
          { file: /^mp_rank_\d+(_\d+)*\/$/ },
          { json: ['sharded_backend'], of: 'metadata.json' },
          { all: [{ file: '.metadata' }, { file: /\.distcp$/ }] },
        ],
        likely: [{ file: /\.distcp$/ }],
        typical: /^iter_\d{7}$/,
      },
    },
    // Under a name that a script of one's own gives; NeMo's have theirs.
    {
      ...form,
      name: /^(?!.*-consumed_samples=\d)/,
      proof: { sure: [distributed] },
      facts: [
        // What all ranks have in common; newer versions have that in the shards.
        { from: 'torch', file: 'common.pt', take: { step: 'iteration' }, lazy: true },
        { from: 'text', file: '.metadata', lazy: true, pick: resumeKeysIn },
        { from: 'name', words: true },
      ],
    },
  ],
  pointers: [
    {
      file: 'latest_checkpointed_iteration.txt',
      holds: 'number',
      purpose: 'resume',
      endsSave: true,
      onDelete: 'rewrite',
    },
  ],
}
