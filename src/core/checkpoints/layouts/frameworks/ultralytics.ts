/**
 * Ultralytics (ultralytics/engine/trainer.py) and YOLOv5: `weights/last.pt`, `best.pt` and `epoch<N>.pt`, whole modules
 * with what training needs; N and the stored epoch count from 0, `results.csv` from 1. When training has ended,
 * `strip_optimizer` (utils/torch_utils.py) rewrites last and best for inference: their epoch is -1, and both get the
 * `train_results` of the last epoch, so that the row with their own metrics tells their epoch. The files are written in
 * place, so a kill leaves them cut.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import type { LayoutSpec, Unit } from '../spec.js'
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
            '#results': 'train_results',
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
  best: /^best\.pt$/,
  copies: { names: /^(last|best)\.pt$/, by: ['file', 'content'] },
}

function ownFacts(content: Meta, { name }: Unit): Meta {
  const facts = new Map<string, MetaValue>()
  const epoch = epochOf(content, name)
  if (epoch !== null) facts.set('epoch', epoch)
  const date = content.get('date')
  const time = typeof date === 'string' && /[Z+]|-\d\d:\d\d$/.test(date.slice(10)) ? Date.parse(date) : NaN
  if (!Number.isNaN(time)) facts.set('unixtime', time / 1000)
  return facts
}

function epochOf(content: Meta, name: string): number | null {
  const [epoch, results, metrics] = [content.get('epoch'), content.get('train_results'), content.get('train_metrics')]
  if (typeof epoch === 'number' && epoch >= 0) return epoch
  const rows = isMeta(results) ? results.get('epoch') : undefined
  if (!isMeta(results) || !Array.isArray(rows)) return null
  if (name === 'last.pt') return rows.length - 1
  const own = [...(isMeta(metrics) ? metrics : [])].flatMap(([key, value]) => {
    const column = results.get(key)
    const isFull = Array.isArray(column) && column.length === rows.length
    return isFull && typeof value === 'number' ? [{ value, column: column as readonly MetaValue[] }] : []
  })
  if (own.length === 0) return null
  // Of equal ones the last: a tie replaces the best.
  const row = rows.findLastIndex((_, at) => own.every(({ value, column }) => isAlike(column[at], value)))
  return row === -1 ? null : row
}

/** The table has six digits (`save_metrics`). */
function isAlike(cell: MetaValue | undefined, value: number): boolean {
  if (typeof cell !== 'number') return false
  return Object.is(cell, value) || Math.abs(cell - value) <= 1e-5 * Math.max(Math.abs(value), 1e-4)
}
