/**
 * torch.distributed.checkpoint (torch/distributed/checkpoint/filesystem.py): a folder with one or more
 * `__<rank>_<i>.distcp` and, renamed into place last, `.metadata`; with `use_collectives=False` each rank writes its own
 * `__<rank>.metadata` in its place. torchtitan (components/checkpointer/dcp.py) names it
 * `step-<N>`, N updates done; its last one has the model alone unless `last_save_model_only` is off. The writer for
 * Hugging Face (hf_storage.py) has each rank's part of every tensor in a file of its own, and no index before they are
 * consolidated.
 */
import type { Finding } from '../../../checkpoint.js'
import type { Form, LayoutSpec, Unit } from '../spec.js'
import { countsOfDcp } from './dcp-counts.js'
import { resumeKeysIn } from './dcp-keys.js'
import { takesLargest } from '../resume-search.js'

const metadata = /^(?:__\d+)?\.metadata$/

const folder: Omit<Form, 'name' | 'proof'> = {
  kind: 'folder',
  whole: {
    last: metadata,
    lastName: '.metadata',
    needs: [{ any: [/\.distcp$/], reason: 'no .distcp file is there' }],
    check: unfinishedRanks,
  },
  facts: [{ from: 'name' }, { from: 'text', file: metadata, lazy: true, pick: resumeKeysIn }],
  files: [
    { name: metadata, role: 'index', unlisted: true },
    // Which of them there must be, `.metadata` says; exports have none.
    { name: /\.distcp$/, role: 'all', optional: true },
  ],
  resumable: (_, facts) => facts.get('#resumable') !== false,
}

export const torchtitan: LayoutSpec = {
  id: 'torchtitan',
  title: 'torchtitan',
  looks: 'checkpoint/step-<N>/ with .metadata and *.distcp',
  resumesFrom: takesLargest('checkpoint.load_step', 'directory', /^step-(\d+)$/),
  // With fault tolerance each replica keeps there where its data was, a `step-<N>` at every step, and no model.
  holdsNoRun: (name) => /^ft-replicat-\d+$/.test(name),
  forms: [
    {
      ...folder,
      name: /^step-(?<step>\d+)$/,
      proof: {
        sure: [{ all: [{ file: '.metadata' }, { file: /\.distcp$/ }] }],
        likely: [{ file: /\.distcp$/ }, { file: '.metadata' }],
        typical: /^step-\d+$/,
      },
    },
    {
      kind: 'folder',
      name: /^step-(?<step>\d+)$/,
      proof: { sure: [{ file: 'model.safetensors.index.json' }] },
      files: [
        { name: /\.safetensors\.index\.json$/, role: 'index' },
        { name: /\.safetensors$/, role: 'weights', optional: true },
      ],
      resumable: false,
    },
  ],
}

/** Scripts name it as they like; a number that says of nothing else what it counts is that of the save. */
const anyName =
  /^(?:(?:.*[-_.])?(?:step|iter)[-_=]?(?<step>\d+)$|(?:.*[-_.])?ep(?:och)?[-_=]?(?<epoch>\d+)$|(?:checkpoint|ckpt|save)[-_]?(?<save>\d+)$)?/

export const torchDistributed: LayoutSpec = {
  id: 'torch-distributed',
  title: 'torch.distributed.checkpoint',
  looks: '<folder>/ with .metadata and *.distcp, or each rank’s safetensors',
  forms: [
    {
      ...folder,
      facts: [{ from: 'name' }, { from: 'look', file: metadata, tell: countsOfDcp }],
      name: anyName,
      called: { save: '#save' },
      proof: {
        sure: [{ all: [{ file: metadata }, { file: /\.distcp$/ }] }],
        likely: [{ file: /\.distcp$/ }],
      },
    },
    {
      kind: 'folder',
      name: anyName,
      called: { save: '#save' },
      proof: { sure: [{ file: /^shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors$/ }] },
      files: [{ name: /\.safetensors$/, role: 'weights' }],
      resumable: false,
    },
  ],
}

/** Where each rank writes its own, one with shards and without it was not through. */
function unfinishedRanks({ entries }: Unit): readonly Finding[] {
  const names = new Set(entries.map(({ name }) => name))
  const own = [...names].flatMap((name) => /^(__\d+)_\d+\.distcp$/.exec(name)?.[1] ?? [])
  if (names.has('.metadata') || !own.some((rank) => names.has(`${rank}.metadata`))) return []
  return [...new Set(own)]
    .map((rank) => `${rank}.metadata`)
    .filter((file) => !names.has(file))
    .map((file) => ({ grade: 'unfinished', file, reason: 'not there; its rank writes it after its shards' }))
}
