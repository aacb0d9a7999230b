/**
 * ESPnet2 (espnet2/train/trainer.py, main_funcs/average_nbest_models.py): `<N>epoch.pth`, bare state dicts, and
 * `checkpoint.pth` with all that resuming needs, written over in place each epoch; links `latest.pth` and
 * `<phase>.<metric>.best.pth`, and averages `<phase>.<metric>.ave_<n>best.pth` at the end, with
 * `nbest_averaging_interval` also `….till<N>epoch.pth` on the way. The metrics of all epochs are
 * in `checkpoint.pth`, which holds epoch N before `<N>epoch.pth` is written. Under DeepSpeed (train/deepspeed_trainer.py)
 * each epoch is a folder `checkpoint_<N>/` with `latest` and DeepSpeed's `<N>/`, and the largest N is resumed from. The averaging at the end opens the n best
 * by name and fails when one is gone.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { valueIn, type Unit } from '../engine/unit-paths.js'
import { takesLargest } from '../resume-search.js'
import type { Fact, FactFile, LayoutSpec } from '../spec.js'

/** Not what was learned: how long it took, and how often. */
const bookkeeping = /(_time|^time|total_count|^lr|^optim.*_lr\d*|^gpu_|^loss_scale|^grad_norm|^clip)/

const reporter = {
  from: 'torch',
  take: { '#epoch': ['reporter', 'epoch'], '#stats': ['reporter', 'stats'] },
  pick: statsOf,
} satisfies FactFile

/** By what the n best are chosen that are averaged at the end. */
const wanted = {
  from: 'yaml',
  beside: 'config.yaml',
  take: { '#criteria': 'best_model_criterion', '#count': 'keep_nbest_models' },
  lazy: true,
} satisfies FactFile

const shared = /^checkpoint_(?<epoch>\d+)$/

export const espnet: LayoutSpec = {
  id: 'espnet',
  title: 'ESPnet',
  looks: '<N>epoch.pth and checkpoint.pth, with links such as valid.acc.best.pth',
  resumesFrom: (there) =>
    there.some(({ name }) => shared.test(name)) ? takesLargest('--resume true', 'directory', shared)(there) : [],
  forms: [
    {
      kind: 'folder',
      name: shared,
      below: /^\d+$/,
      proof: { sure: [{ all: [{ file: 'latest' }, { file: /^\d+\/(?:.*_)?mp_rank_00_model_states\.pt$/ }] }] },
      facts: [{ ...reporter, file: /^\d+\/(?:.*_)?mp_rank_00_model_states\.pt$/ }, { from: 'name' }, wanted],
      files: [{ name: /^\d+\/$/, role: 'all' }],
    },
    {
      kind: 'file',
      name: /^checkpoint\.pth$/,
      proof: { sure: [{ torch: ['model', 'reporter', 'optimizers'] }] },
      facts: [reporter],
    },
    {
      kind: 'file',
      name: /^(?<epoch>\d+)epoch\.pth$/,
      proof: { sure: [{ stateDict: [] }], typical: /^\d+epoch\.pth$/ },
      facts: [{ from: 'name' }, { ...reporter, beside: 'checkpoint.pth' }, wanted],
      resumable: false,
    },
    {
      kind: 'file',
      name: /^(?:\w+\.)+(?:ave(?:_\d+best)?(?:\..+)?|best)\.pth$|^latest\.pth$/,
      proof: { sure: [{ stateDict: [] }] },
      facts: [],
      resumable: false,
    },
  ],
  needs: nBest,
  pointers: [
    { file: 'latest.pth', holds: 'link', onDelete: 'rewrite' },
    { file: /^(?:\w+\.)+best\.pth$/, holds: 'link', purpose: 'best', onDelete: 'protect' },
    { file: /^(?:\w+\.)+ave(_1best)?(\.\w+)?\.pth$/, holds: 'link', onDelete: 'protect' },
  ],
}

/** `reporter.stats[<epoch>][<phase>][<key>]`, of the file's own epoch. */
function statsOf(content: Meta, _: Unit, known: Meta): Meta {
  const epoch = known.get('epoch') ?? valueIn(content, ['reporter', 'epoch'])
  const facts = new Map<string, MetaValue>()
  if (typeof epoch !== 'number') return facts
  facts.set('epoch', epoch)
  const phases = valueIn(content, ['reporter', 'stats', String(epoch)])
  if (!isMeta(phases)) return facts
  for (const [phase, values] of phases) {
    if (!isMeta(values)) continue
    for (const [key, value] of values) {
      if (typeof value === 'number' && !bookkeeping.test(key)) facts.set(`${phase}.${key}`, value)
    }
  }
  return facts
}

/** `sort_epochs_and_values` of each criterion, as far as the epochs are there (espnet2/train/reporter.py). */
function nBest(there: readonly Fact[]): ReadonlyMap<string, string> {
  const epochs = there.filter(({ name }) => /^\d+epoch\.pth$/.test(name) || shared.test(name))
  const facts = epochs[0]?.facts
  const criteria = facts?.get('#criteria')
  const counts = [facts?.get('#count') ?? []].flat().filter((one) => typeof one === 'number')
  const needed = new Map<string, string>()
  for (const criterion of Array.isArray(criteria) ? (criteria as readonly MetaValue[]) : []) {
    if (!Array.isArray(criterion)) continue
    const [phase, key, mode] = criterion as readonly MetaValue[]
    if (typeof phase !== 'string' || typeof key !== 'string') continue
    const metric = `${phase}.${key}`
    const valued = epochs.flatMap(({ name, facts: own }) => {
      const value = own.get(metric)
      return typeof value === 'number' ? [{ name, value: mode === 'max' ? -value : value }] : []
    })
    const best = valued.toSorted((a, b) => a.value - b.value).slice(0, Math.max(0, ...counts))
    for (const { name } of best) {
      if (!needed.has(name))
        needed.set(name, `among the ${best.length} best by ${metric}, which ESPnet averages at the end`)
    }
  }
  return needed
}
