/**
 * timm's CheckpointSaver (timm/utils/checkpoint_saver.py): each epoch is saved as `last.pth.tar`, which gets the names
 * `checkpoint-<epoch>.pth.tar` and, when it is the best, `model_best.pth.tar` as hard links (copies where there are
 * none). The metrics of an epoch are a row of `summary.csv` (timm/utils/summary.py). A file is saved as `tmp.pth.tar`
 * first and renamed.
 */
import type { Direction, Meta } from '../../../checkpoint.js'
import type { FactSource, LayoutSpec, Proof } from '../spec.js'

/** Under a prefix of the user's own (`checkpoint_prefix`, `recovery_prefix`), this alone tells them. */
const own: Proof = { sure: [{ torch: ['epoch', 'arch', 'state_dict', 'version'] }] }

const proof: Proof = {
  sure: [
    ...own.sure,
    { all: [{ torch: ['epoch', 'state_dict'] }, { beside: 'summary.csv' }, { beside: 'args.yaml' }] },
  ],
}

const epochFacts: readonly FactSource[] = [
  { from: 'torch', take: { epoch: 'epoch', '#metric': 'metric' }, has: { '#optimizer': 'optimizer' } },
  { from: 'name' },
  { from: 'csv', beside: 'summary.csv', by: 'epoch' },
]

export const timm: LayoutSpec = {
  id: 'timm',
  title: 'timm',
  looks: 'checkpoint-<epoch>.pth.tar, last.pth.tar and model_best.pth.tar, with summary.csv',
  forms: [
    {
      kind: 'file',
      name: /^(?:checkpoint-(?<epoch>\d+)|last|model_best)\.pth\.tar$/,
      proof,
      facts: epochFacts,
      resumable: hasOptimizer,
    },
    {
      // In the middle of an epoch, whose row of metrics comes at its end.
      kind: 'file',
      name: /^recovery-(?<epoch>\d+)-(?<batch>\d+)\.pth\.tar$/,
      proof: { ...proof, typical: /^recovery-\d+-\d+\.pth\.tar$/ },
      facts: [{ from: 'name' }],
    },
    {
      kind: 'file',
      name: /-(?<epoch>\d+)-(?<batch>\d+)\.pth\.tar$/,
      proof: { ...own, never: [{ torch: ['metric'] }] },
      facts: [{ from: 'name' }],
    },
    {
      kind: 'file',
      name: /-(?<epoch>\d+)\.pth\.tar$/,
      proof: own,
      facts: epochFacts,
      resumable: hasOptimizer,
    },
  ],
  judge,
  copies: { names: /^(last|model_best)\.pth\.tar$/, by: ['file', 'content'] },
}

function hasOptimizer(_: unknown, facts: Meta): boolean {
  return facts.get('#optimizer') !== false
}

/**
 * Each checkpoint has the value that it is judged by, and `summary.csv` under which name: that of the evaluation, of
 * several of one value. Lower is better for a loss alone (train.py, `decreasing=eval_metric == 'loss'`).
 */
function judge(facts: Meta): [string, Direction][] {
  const value = facts.get('#metric')
  if (typeof value !== 'number') return []
  const equal = [...facts.keys()].filter((key) => !key.startsWith('#') && facts.get(key) === value)
  const metric = equal.find((key) => key.startsWith('eval_')) ?? equal[0]
  return metric === undefined ? [] : [[metric, /(?:^|_)loss$/.test(metric) ? 'min' : 'max']]
}
