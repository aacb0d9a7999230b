/**
 * Detectron2 and whatever else uses fvcore's Checkpointer (fvcore/common/checkpoint.py; detectron2/engine/hooks.py):
 * `model_<iteration>.pth` with seven digits, the iteration that was done last counting from 0, and `model_final.pth`,
 * `model_best.pth`. `last_checkpoint` holds the file name of the last save of any of them. The metrics are lines of
 * `metrics.json` (utils/events.py), by `iteration`; a line that is not an evaluation's has losses alone.
 */
import type { LayoutSpec } from '../spec.js'

export const detectron2: LayoutSpec = {
  id: 'detectron2',
  title: 'Detectron2',
  looks: 'model_<iteration>.pth with last_checkpoint and metrics.json',
  forms: [
    {
      kind: 'file',
      name: /^\w+?_(?:(?<iteration>\d{7,})|final|best)\.pth$/,
      proof: {
        sure: [
          { all: [{ torch: ['model', 'iteration'] }, { beside: 'last_checkpoint' }] },
          { torch: ['model', 'iteration', 'optimizer', 'scheduler'] },
        ],
      },
      facts: [
        { from: 'torch', take: { step: 'iteration' }, has: { '#optimizer': 'optimizer' }, add: { step: 1 } },
        {
          from: 'jsonl',
          beside: 'metrics.json',
          by: 'step',
          column: 'iteration',
          offset: -1,
          leave: /^(data_time|time|eta_seconds|rank_data_time)$/,
        },
        { from: 'name', leave: ['iteration'] },
      ],
      resumable: (_, facts) => facts.get('#optimizer') === true,
    },
  ],
  best: /_best\.pth$/,
  copies: { names: /_(final|best)\.pth$/, by: ['file', 'content', { facts: ['step'] }] },
  pointers: [{ file: 'last_checkpoint', holds: 'name', purpose: 'resume', onDelete: 'rewrite' }],
}
