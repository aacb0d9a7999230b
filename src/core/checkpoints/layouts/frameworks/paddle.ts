/**
 * PaddlePaddle's `Model.fit` (paddle/hapi/callbacks.py, framework/io.py): the pair `<N>.pdparams` and `<N>.pdopt`, N an
 * epoch from 0, `final` at the end and `best_model` by early stopping. Both are plain pickles of numpy arrays; the
 * parameters are written first.
 */
import type { LayoutSpec } from '../spec.js'

export const paddle: LayoutSpec = {
  id: 'paddle',
  title: 'PaddlePaddle',
  looks: '<N>.pdparams with <N>.pdopt',
  forms: [
    {
      kind: 'group',
      name: /^(?<unit>(?<epoch>\d+)|.+)\.(?<part>pdparams|pdopt)$/,
      main: /\.pdparams$/,
      proof: { sure: [{ file: /\.pdparams$/ }] },
      whole: { needs: [{ any: [/\.pdparams$/], reason: 'its .pdparams is not there' }] },
      files: [
        { name: /\.pdparams$/, role: 'weights', key: 'model' },
        { name: /\.pdopt$/, role: 'resume', key: 'optimizer', optional: true },
      ],
      resumable: ({ entries }) => entries.some(({ name }) => name.endsWith('.pdopt')),
    },
  ],
  copies: { names: /^(best_model|final)\.pdparams$/, by: ['content'] },
}
