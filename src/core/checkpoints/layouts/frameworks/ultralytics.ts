/**
 * Ultralytics (ultralytics/engine/trainer.py) and YOLOv5: `weights/last.pt`, `best.pt` and `epoch<N>.pt`, whole modules
 * with what training needs; N and the stored epoch count from 0, `results.csv` from 1. When training has ended,
 * `strip_optimizer` (utils/torch_utils.py) rewrites last and best for inference: their epoch is -1, and only the length
 * of `train_results` still tells it. The files are written in place, so a kill leaves them cut.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import type { LayoutSpec } from '../spec.js'
import { namedPointsTo, takesNamed } from '../resume-search.js'

export const ultralytics: LayoutSpec = {
  id: 'ultralytics',
  title: 'Ultralytics YOLO',
  looks: 'weights/last.pt, best.pt and epoch<N>.pt, with results.csv',
  resumesFrom: takesNamed('resume=True', 'last.pt'),
  pointersTo: namedPointsTo('last.pt'),
  forms: [
    {
      kind: 'file',
      name: /^(?:epoch(?<epoch>\d+)|last|best)\.pt$/,
      proof: {
        sure: [
          { torch: ['epoch', 'train_args', 'train_metrics'] },
          { torch: ['epoch', 'best_fitness', 'model', 'ema', 'updates'] },
        ],
      },
      facts: [
        {
          from: 'torch',
          take: {
            '#epoch': 'epoch',
            '#results': ['train_results', 'epoch'],
            '#date': 'date',
          },
          spread: ['train_metrics'],
          pick: ownFacts,
        },
        { from: 'name' },
        {
          from: 'csv',
          beside: '../results.csv',
          by: 'epoch',
          offset: 1,
          columns: /^(metrics|val|train)\//,
        },
      ],
      resumable: (_, facts) => typeof facts.get('#epoch') === 'number' && facts.get('#epoch') !== -1,
    },
  ],
  judge: () => [['fitness', 'max']],
  copies: { names: /^(last|best)\.pt$/, by: ['file', 'content'] },
}

function ownFacts(content: Meta): Meta {
  const facts = new Map<string, MetaValue>()
  const epoch = content.get('epoch')
  const results = content.get('train_results')
  const epochs = isMeta(results) ? results.get('epoch') : undefined
  if (typeof epoch === 'number' && epoch >= 0) facts.set('epoch', epoch)
  else if (Array.isArray(epochs)) facts.set('epoch', epochs.length - 1)
  const date = content.get('date')
  const time = typeof date === 'string' && /[Z+]|-\d\d:\d\d$/.test(date.slice(10)) ? Date.parse(date) : NaN
  if (!Number.isNaN(time)) facts.set('unixtime', time / 1000)
  return facts
}
