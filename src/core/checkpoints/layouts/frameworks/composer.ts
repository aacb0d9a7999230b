/**
 * Composer (composer/callbacks/checkpoint_saver.py, core/state.py): `ep<E>-ba<B>-rank<R>.pt`, one a rank, both numbers
 * counting what is done; `latest-rank<R>.pt` is a relative link that is made anew after each save. Metrics are there
 * with `save_metrics=True` alone. Sharded by FSDP, `ep<E>-ba<B>` is a folder of torch.distributed.checkpoint.
 * `save_filename` and `save_latest_filename` may make any other name of these and of the run's; up to 0.9 names had no
 * `.pt` at their end.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { valueIn } from '../engine/unit-paths.js'
import { namedPointsTo, takesNamed } from '../resume-search.js'
import type { Standing } from '../layout.js'
import type { FactSource, Form, LayoutSpec, Proof, Unit } from '../spec.js'

const ofComposer: Proof = {
  sure: [{ torch: [['state', 'timestamp'], 'rng'] }, { torch: [['state', 'metadata', 'composer_env_info']] }],
  typical: /^ep\d+-ba\d+-rank\d+(?:\.pt)?$/,
}

/** With save_weights_only there is no timestamp, and the name alone counts. */
function factsIn(file?: RegExp): FactSource[] {
  return [
    {
      from: 'torch',
      ...(file === undefined ? {} : { file }),
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
    // With `save_weights_only` nothing inside counts.
    { from: 'name', leave: ['rank'], words: true },
  ]
}

const common = {
  proof: ofComposer,
  isNoLink: true,
  resumable: (_: Unit, facts: Meta) => facts.get('#optimizer') !== false,
  files: [{ name: /\.pt$|rank\d+$|^(?:.*[-_])?(?:ep|ba)\d+$/, role: 'all' }],
} as const satisfies Partial<Form>

/** What `save_latest_filename` makes is mostly a link; a file of that name is looked at once, as one alone. */
const isNotLatest = '(?!(?:.*[-_.])?latest(?:[-_.]|$))'

/** What `save_filename` makes of the counts, where it has them. */
const counts = '(?:ep(?<epoch>\\d+))?(?:-?ba(?<step>\\d+))?'
/** Without an ending a name is Composer's only by its counts: others are not opened. */
const bare = '(?:[^.]*[-_])?(?:ep|ba)\\d+'

const newest = '(?:^|[-_.])(?:latest|last|newest|recent|current)(?:[-_.]|$)'
const namesNewest = new RegExp(newest)
const namesOther = new RegExp(`^(?!.*${newest})`)

const otherRanks = /latest.*-rank[1-9]\d*(?:\.pt)?$/

export const composer: LayoutSpec = {
  id: 'composer',
  title: 'Composer',
  looks: 'ep<epoch>-ba<batch>-rank<rank>.pt, or as save_filename says',
  forms: [
    {
      ...common,
      kind: 'group',
      name: new RegExp(`^${isNotLatest}(?<unit>(?:${counts}|.+?))-rank(?<part>\\d+)(?<tail>\\.pt|)$`),
      main: /-rank0(?:\.pt)?$/,
      facts: factsIn(/-rank\d+(?:\.pt)?$/),
    },
    {
      kind: 'folder',
      isNoLink: true,
      name: /^ep(?<epoch>\d+)-ba(?<step>\d+)$/,
      proof: { sure: [{ file: '.metadata' }, { file: 'composer_metadata.json' }] },
      whole: { last: '.metadata' },
      files: [{ name: /\.distcp$|^\.metadata$/, role: 'all' }],
    },
    {
      ...common,
      kind: 'folder',
      name: new RegExp(`^${isNotLatest}(?:${counts}$)?`),
      proof: { sure: ofComposer.sure.map((has) => ({ ...has, of: /^rank\d+\.pt$/ })) },
      facts: factsIn(/^rank\d+\.pt$/),
    },
    {
      ...common,
      kind: 'file',
      name: new RegExp(`^${isNotLatest}(?!rank\\d+\\.pt$)(?:(?:${counts}|.+)\\.pt|${bare})$`),
      facts: factsIn(),
    },
    {
      // Copied with what links lead to, one a rank.
      ...common,
      kind: 'group',
      name: /^(?<unit>(?:.*[-_.])?latest)-rank(?<part>\d+)(?<tail>\.pt|)$/,
      main: /-rank0(?:\.pt)?$/,
      proof: { sure: ofComposer.sure.map((has) => ({ all: [{ beside: otherRanks }, has] })) },
      facts: factsIn(/-rank\d+(?:\.pt)?$/),
    },
    {
      // Where links cannot be kept it is a file with the text of one; of several ranks each alone is no checkpoint.
      ...common,
      kind: 'file',
      name: /^(?:.*[-_.])?latest[-_.](?:.*\.)?pt$/,
      proof: { ...ofComposer, never: [{ head: 'text' }, { beside: otherRanks }] },
      facts: factsIn(),
    },
  ],
  // Copied with what links lead to, the newest is there twice; copied alone, it is the checkpoint.
  resumesFrom: (there) => takesNamed('autoresume=True', latestAmong(there))(there),
  // Of several ranks each has its own.
  pointersTo: (chosen, there) => (isOneFile(chosen) ? namedPointsTo(latestAmong(there))(chosen, there) : []),
  copies: { names: namesNewest, by: ['file', 'content'] },
  pointers: [
    { file: namesNewest, holds: 'link', purpose: 'resume', onDelete: 'rewrite' },
    // Under any other name it may be somebody's own mark: led elsewhere it would be wrong.
    { file: namesOther, holds: 'link', isReal: true, onDelete: 'protect' },
    // `save_latest_filename='latest/rank{rank}.pt'`
    { file: /^rank\d+\.pt$/, inside: /latest/, holds: 'link', purpose: 'resume', onDelete: 'rewrite' },
  ],
}

/** Autoresume looks for what rank 0 calls the newest, and for nothing else (trainer/trainer.py, `_get_autoresume_checkpoint`). */
function latestAmong(there: readonly Standing[]): string {
  const isLatest = ({ name }: Standing): boolean => /(?:^|[-_.])latest[-_.]/.test(name)
  return there.find(isLatest)?.name ?? 'latest-rank0.pt'
}

function isOneFile({ kind, members = [] }: Standing): boolean {
  return kind !== 'directory' && members.length < 2
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
