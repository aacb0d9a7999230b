/**
 * timm's CheckpointSaver (timm/utils/checkpoint_saver.py): each epoch is saved as `last.pth.tar`, which gets the names
 * `checkpoint-<epoch>.pth.tar` and, when it is the best, `model_best.pth.tar` as hard links (copies where there are
 * none). The metrics of an epoch are a row of `summary.csv` (timm/utils/summary.py). A file is saved as `tmp.pth.tar`
 * first and renamed.
 */
import type { Direction, Meta, MetaValue } from '../../../checkpoint.js'
import { directionOf } from '../../meta/index.js'
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
  {
    from: 'torch',
    take: { epoch: 'epoch', '#metric': 'metric', '#ranked': ['saver', 'checkpoint_files'] },
    has: { '#optimizer': 'optimizer' },
  },
  { from: 'name' },
  { from: 'csv', beside: 'summary.csv', by: 'epoch' },
  { from: 'yaml', beside: 'args.yaml', take: { '#decreasing': 'decreasing_metric' }, lazy: true },
  { from: 'run', tell: (all) => all.map(unnamedMetric) },
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
  best: /^model_best\.pth\.tar$/,
  copies: { names: /^(last|model_best)\.pth\.tar$/, by: ['file', 'content'] },
}

function hasOptimizer(_: unknown, facts: Meta): boolean {
  return facts.get('#optimizer') !== false
}

/**
 * Each checkpoint has the value that it is judged by, and `summary.csv` under which name: that of the evaluation, of
 * several of one value.
 */
function judge(facts: Meta): [string, Direction][] {
  const value = facts.get('#metric')
  if (typeof value !== 'number') return []
  const equal = namesOf(value, facts)
  const metric = equal.find((key) => key.startsWith('eval_')) ?? equal[0]
  return metric === undefined ? [] : [[metric, directionBy(facts, metric)]]
}

/** A script of one's own has no table: it is what it is called in the file. */
function unnamedMetric(facts: Meta): Meta {
  const value = facts.get('#metric')
  return new Map(typeof value === 'number' && namesOf(value, facts).length === 0 ? [['metric', value]] : [])
}

function namesOf(value: number, facts: Meta): string[] {
  return [...facts.keys()].filter((key) => !key.startsWith('#') && key !== 'epoch' && facts.get(key) === value)
}

/**
 * A script may have lower values for better ones (`CheckpointSaver(decreasing=True)`): the saver's own list, from 1.0.31
 * on in each checkpoint, has the best first. Else the script's arguments tell it, or the metric's name.
 */
function directionBy(facts: Meta, metric: string): Direction {
  const ranked = facts.get('#ranked')
  const values = (Array.isArray(ranked) ? (ranked as readonly MetaValue[]) : []).flatMap((one) =>
    Array.isArray(one) && typeof one[1] === 'number' ? [one[1]] : [],
  )
  const [best, worst] = [values[0] ?? NaN, values.at(-1) ?? NaN]
  if (best < worst) return 'min'
  if (best > worst) return 'max'
  const isDecreasing = facts.get('#decreasing')
  if (typeof isDecreasing === 'boolean') return isDecreasing ? 'min' : 'max'
  return directionOf(metric) ?? 'max'
}
