/**
 * PaddlePaddle. `Model.fit` (paddle/hapi/callbacks.py, framework/io.py): the pair `<N>.pdparams` and `<N>.pdopt`, N an
 * epoch from 0, `final` at the end and `best_model` by early stopping. Scripts give names of their own
 * (`model_epoch_3.pdparams`, with `.pdsched` and the like beside; PaddleOCR adds `.states`) or save all into one `.pdckpt`,
 * or a model into a folder, `iter_<N>/` and `best_model/` in PaddleSeg. All are plain pickles of numpy arrays; the
 * parameters are written first.
 */
import type { DirectoryEntry } from '../../../storage/storage.js'
import type { Checkpoint } from '../../../checkpoint.js'
import { ofOneSeries } from '../engine/one-series.js'
import type { FileRule, Form, LayoutSpec, Unit } from '../spec.js'

const files: readonly FileRule[] = [
  { name: /\.pdparams$/, role: 'weights', key: 'model' },
  { name: /\.pdema$/, role: 'weights', key: 'ema', optional: true },
  { name: /\.pdopt$/, role: 'resume', key: 'optimizer', optional: true },
  { name: /\.(?:pdstates|states)$/, role: 'loop', key: 'states', optional: true },
  { name: /\.pd(?:sched|lr|scaler)$/, role: 'loop', optional: true },
]

const common: Omit<Form, 'kind' | 'name'> = {
  proof: { sure: [{ file: /\.pdparams$/ }] },
  whole: { needs: [{ any: [/\.pdparams$/], reason: 'its .pdparams is not there' }] },
  files,
  resumable: hasOptimizer,
}

const numberedParameters = /(?:^|[^a-z]|epoch|iter|step)\d+\.pdparams$/i

export const paddle: LayoutSpec = {
  id: 'paddle',
  title: 'PaddlePaddle',
  looks: '<N>.pdparams with <N>.pdopt, <name>.pdckpt, step_<N>/model.pdparams',
  forms: [
    {
      ...common,
      kind: 'group',
      name: /^(?<unit>(?<epoch>\d+)|.+)\.(?<part>pdparams|pdopt|pdema|pdstates|pdsched|pdlr|pdscaler|states)$/,
      main: /\.pdparams$/,
      facts: [{ from: 'name', words: true }],
    },
    {
      kind: 'file',
      name: /\.pdckpt$/,
      proof: { sure: [{ head: 'pickle' }], typical: /\.pdckpt$/ },
      facts: [{ from: 'name', words: true }],
    },
    {
      // A model a folder, whatever it is called; folders of many files with numbers are runs, and `model-2.0` is a version.
      ...common,
      kind: 'folder',
      name: /^(?:[a-z][\w.=-]*?[-_.])?(?:iter(?:ation)?|steps?|epoch|ep|ckpt|checkpoint|model|snapshot|save)[-_=.]?\d+(?!\.\d)(?:[-_.][\w.=-]*)?$|^(?:best|final|latest|last)(?:[-_](?:model|ckpt|checkpoint))?$|^(?:model|ckpt|checkpoint)[-_](?:best|final|latest|last)$/i,
      proof: { sure: [{ all: [{ file: /\.pdparams$/ }, { not: { file: numberedParameters } }] }] },
      facts: [{ from: 'name', words: true }],
    },
  ],
  best: /^(?:best(?:[-_](?:model|ckpt|checkpoint))?|(?:model|ckpt|checkpoint)[-_]best)(?:\.pd(?:params|ckpt))?$/,
  copies: { names: /^(?:best_?\w*|final|latest|last)(?:[-_]\w+)?(?:\.pd(?:params|ckpt))?$/, by: ['content'] },
  together: withoutOtherModels,
}

const counts = /(?:^|[-_.])(?:iter(?:ation)?|steps?|epoch|ep|ckpt|checkpoint|model|snapshot|save)[-_=.]?\d/i

/** Without folders that are models of several trainings. */
function withoutOtherModels(checkpoints: readonly Checkpoint[]): Checkpoint[] {
  const numbered = checkpoints.filter(({ kind, name }) => kind === 'directory' && counts.test(name))
  const series = new Set(ofOneSeries(numbered, ({ name }) => name, counts))
  const others = new Set(numbered.filter((one) => !series.has(one)).map(({ name }) => name))
  return checkpoints.filter(({ name, sameAs }) => !others.has(name) && !others.has(sameAs ?? ''))
}

function hasOptimizer({ entries }: Unit): boolean {
  return entries.some(({ name }: DirectoryEntry) => name.endsWith('.pdopt'))
}
