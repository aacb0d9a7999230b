/**
 * Ultralytics (ultralytics/engine/trainer.py) and YOLOv5: `weights/last.pt`, `best.pt` and `epoch<N>.pt`, whole modules
 * with what training needs; N and the stored epoch count from 0, `results.csv` from 1. When training has ended,
 * `strip_optimizer` (utils/torch_utils.py) rewrites last and best for inference: their epoch is -1, and both get the
 * `train_results` of the last epoch, so that the row with their own metrics tells their epoch. The files are written in
 * place, so a kill leaves them cut. Before its first validation (`val=False` validates after the last epoch alone) a
 * trainer has zeros for metrics and None for the fitness.
 */
import { isMeta, type Meta, type MetaValue, type Moment } from '../../../checkpoint.js'
import { csvCells } from '../../../formats/text/csv.js'
import type { LayoutSpec, Picked, Unit } from '../spec.js'
import { namedPointsTo, takesNamed } from '../resume-search.js'

/** Bytes; a row has a few hundred. */
const largestTable = 4 << 20

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
        { from: 'text', beside: '../results.csv', later: 'epoch', limit: largestTable, pick: epochInCsv },
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

function ownFacts(content: Meta, { name }: Unit): Picked {
  const facts = new Map<string, MetaValue>()
  const epoch = epochOf(content, name)
  if (epoch !== null) facts.set('epoch', epoch)
  const date = content.get('date')
  const time = typeof date === 'string' && /[Z+]|-\d\d:\d\d$/.test(date.slice(10)) ? Date.parse(date) : NaN
  if (!Number.isNaN(time)) facts.set('unixtime', time / 1000)
  return { meta: facts, measuredAt: placeholdersIn(content.get('train_metrics')) }
}

/** The metrics of a file that was saved before any validation: they were measured at no step. */
function placeholdersIn(metrics: MetaValue | undefined): ReadonlyMap<string, Moment> {
  if (!isMeta(metrics) || metrics.get('fitness') !== null) return new Map()
  return new Map([...metrics.keys()].map((key) => [key, {}]))
}

function epochOf(content: Meta, name: string): number | null {
  const [epoch, results, metrics] = [content.get('epoch'), content.get('train_results'), content.get('train_metrics')]
  if (typeof epoch === 'number' && epoch >= 0) return epoch
  return isMeta(results) ? epochIn(results, name, isMeta(metrics) ? metrics : new Map()) : null
}

/** Without polars `train_results` is empty (`read_results_csv`). */
function epochInCsv(content: Meta, { name }: Unit, known: Meta): Meta {
  const text = content.get('text')
  const epoch = typeof text === 'string' && known.get('#epoch') === -1 ? epochIn(tableIn(text), name, known) : null
  return new Map(epoch === null ? [] : [['epoch', epoch]])
}

function tableIn(text: string): Meta {
  const [head = '', ...rows] = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const cells = rows.map((row) => csvCells(row))
  return new Map(csvCells(head).map((name, at) => [name.trim(), cells.map((row) => Number(row[at] ?? NaN))]))
}

/** The epoch, from 0, of the row that has the metrics: of equal ones the last, for a tie replaces the best. */
function epochIn(table: Meta, name: string, metrics: Meta): number | null {
  const epochs = table.get('epoch')
  if (!Array.isArray(epochs)) return null
  const own = [...metrics].flatMap(([key, value]) => {
    const column = table.get(key)
    const isFull = Array.isArray(column) && column.length === epochs.length
    return isFull && typeof value === 'number' ? [{ value, column: column as readonly MetaValue[] }] : []
  })
  const isLast = name === 'last.pt'
  if (own.length === 0 && !isLast) return null
  const row = isLast
    ? epochs.length - 1
    : epochs.findLastIndex((_, at) => own.every(({ value, column }) => isAlike(column[at], value)))
  const epoch = (epochs as readonly MetaValue[])[row]
  return typeof epoch === 'number' && epoch >= 1 ? epoch - 1 : null
}

/** The table has six digits (`save_metrics`). */
function isAlike(cell: MetaValue | undefined, value: number): boolean {
  if (typeof cell !== 'number') return false
  return Object.is(cell, value) || Math.abs(cell - value) <= 1e-5 * Math.max(Math.abs(value), 1e-4)
}
