/**
 * Detectron2 and whatever else uses fvcore's Checkpointer (fvcore/common/checkpoint.py; detectron2/engine/hooks.py,
 * train_loop.py): `<prefix>_<iteration>.pth` with seven digits, the iteration that was done last counting from 0,
 * `<prefix>_final.pth`, `model_best.pth`, or any name that `save` is given. `last_checkpoint` holds the file name of the
 * last save of any of them. DefaultTrainer saves itself as `trainer`, with the optimizer in its own `_trainer`. The
 * metrics are lines of `metrics.json` (utils/events.py), by `iteration`; a line that is not an evaluation's has losses
 * alone.
 */
import { toFinite } from '../finite-number.js'
import type { FactSource, Form, LayoutSpec, TableSource } from '../spec.js'
import { holdsOptimizer, optimizerFacts } from './optimizer-paths.js'

const log: TableSource = {
  from: 'jsonl',
  beside: 'metrics.json',
  by: 'step',
  column: 'iteration',
  leave: /^(data_time|time|eta_seconds|rank_data_time)$/,
}

/** The last evaluation comes when the training is over, and has the number of all iterations (hooks.py, EvalHook). */
const lastEvaluation: TableSource = {
  ...log,
  rows: (row) => !row.has('total_loss') && !row.has('lr'),
  key: (known, all) => {
    const isLast = all.some((one) => one.has('#final') && one.get('step') === known.get('step'))
    return isLast ? toFinite(known.get('step')) : null
  },
}

const inside: readonly FactSource[] = [
  {
    from: 'torch',
    take: { step: 'iteration' },
    has: { ...optimizerFacts, '#trainer': ['trainer', '_trainer', 'optimizer'] },
    add: { step: 1 },
  },
  // A save that was asked for apart from the periodic ones.
  { from: 'torch', take: { step: ['trainer', 'iteration'] }, add: { step: 1 } },
  { ...log, offset: -1 },
]

const resumable: Form['resumable'] = (_, facts) => facts.get('#trainer') === true || holdsOptimizer(facts)

export const detectron2: LayoutSpec = {
  id: 'detectron2',
  title: 'Detectron2',
  looks: 'model_<iteration>.pth or a name of your own, with last_checkpoint',
  forms: [
    {
      kind: 'file',
      name: /^.+_(?:(?<iteration>\d{7,})|(?<final>final)|best)\.pth$/,
      called: { final: '#final' },
      proof: {
        sure: [
          { all: [{ torch: ['model', 'iteration'] }, { beside: 'last_checkpoint' }] },
          { torch: ['model', 'iteration', 'optimizer', 'scheduler'] },
          { torch: ['model', 'iteration', ['trainer', 'iteration']] },
        ],
      },
      facts: [...inside, { from: 'name', leave: ['iteration'] }, lastEvaluation],
      resumable,
    },
    {
      // A name that a script gives, or BestCheckpointer's `file_prefix`.
      kind: 'file',
      name: /\.pth$/,
      proof: { sure: [{ all: [{ stateDict: ['model'] }, { beside: 'last_checkpoint' }] }] },
      facts: [
        ...inside,
        { from: 'torch', spread: [[]], leave: /^(?:iteration|__author__|matching_heuristics)$/ },
        { from: 'name', words: true },
        lastEvaluation,
      ],
      resumable,
    },
  ],
  best: /_best\.pth$/,
  copies: { names: /(?:^|[-_])(?:final|best)(?:[-_].+)?\.pth$/, by: ['file', 'content', { facts: ['step'] }] },
  pointers: [{ file: 'last_checkpoint', holds: 'name', purpose: 'resume', onDelete: 'rewrite' }],
}
