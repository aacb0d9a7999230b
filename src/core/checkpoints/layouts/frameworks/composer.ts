/**
 * Composer (composer/callbacks/checkpoint_saver.py, core/state.py): `ep<E>-ba<B>-rank<R>.pt`, one a rank, both numbers
 * counting what is done; `latest-rank<R>.pt` is a relative link that is made anew after each save. Metrics are there
 * with `save_metrics=True` alone. Sharded by FSDP, `ep<E>-ba<B>` is a folder of torch.distributed.checkpoint.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { valueIn } from '../engine/unit-paths.js'
import type { LayoutSpec } from '../spec.js'

export const composer: LayoutSpec = {
  id: 'composer',
  title: 'Composer',
  looks: 'ep<epoch>-ba<batch>-rank<rank>.pt',
  forms: [
    {
      kind: 'group',
      name: /^(?<unit>.*?ep\d+-ba\d+)-rank(?<part>\d+)\.pt$/,
      main: /-rank0\.pt$/,
      proof: { sure: [{ torch: [['state', 'timestamp'], 'rng'] }], typical: /^ep\d+-ba\d+-rank\d+\.pt$/ },
      facts: [
        {
          from: 'torch',
          file: /-rank\d+\.pt$/,
          take: {
            epoch: ['state', 'timestamp', 'Timestamp', 'epoch'],
            step: ['state', 'timestamp', 'Timestamp', 'batch'],
            '#epoch': ['state', 'timestamp', 'epoch'],
            '#batch': ['state', 'timestamp', 'batch'],
            '#eval': ['state', 'eval_metrics'],
          },
          has: { '#optimizer': ['state', 'optimizers'] },
          pick: olderCounts,
        },
      ],
      // With save_weights_only there is none.
      resumable: (_, facts) => facts.get('#optimizer') !== false,
      files: [{ name: /\.pt$/, role: 'all' }],
    },
    {
      kind: 'folder',
      name: /^ep(?<epoch>\d+)-ba(?<step>\d+)$/,
      proof: { sure: [{ file: '.metadata' }, { file: 'composer_metadata.json' }] },
      whole: { last: '.metadata' },
      files: [{ name: /\.distcp$|^\.metadata$/, role: 'all' }],
    },
  ],
  pointers: [{ file: /^latest-rank\d+\.pt$/, holds: 'link', purpose: 'resume', onDelete: 'rewrite' }],
}

/** Before 0.17 the counts lie one level higher; metrics are `{<evaluator>: {<metric>: {_computed}}}`. */
function olderCounts(content: Meta): Meta {
  const facts = new Map<string, MetaValue>()
  const [epoch, batch] = ['epoch', 'batch'].map((key) => valueIn(content, ['state', 'timestamp', key]))
  if (typeof epoch === 'number') facts.set('epoch', epoch)
  if (typeof batch === 'number') facts.set('step', batch)
  const evaluators = valueIn(content, ['state', 'eval_metrics'])
  for (const [evaluator, metrics] of isMeta(evaluators) ? evaluators : []) {
    for (const [name, metric] of isMeta(metrics) ? metrics : []) {
      const value = isMeta(metric) ? metric.get('_computed') : undefined
      if (typeof value === 'number') facts.set(`metrics/${evaluator}/${name}`, value)
    }
  }
  return facts
}
