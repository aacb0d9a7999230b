/**
 * Keras (keras/src/callbacks/model_checkpoint.py, backup_and_restore.py, csv_logger.py): `.keras` archives and
 * `.weights.h5` files under whatever name the script gives; `{epoch}` in a name counts from 1, `epoch` in CSVLogger's
 * file from 0. Neither tells its epoch inside. BackupAndRestore's folder is its own business: the job's restart.
 */
import type { FactSource, LayoutSpec } from '../spec.js'

const log: readonly FactSource[] = [
  { from: 'name' },
  { from: 'csv', beside: '*.csv', by: 'epoch', offset: -1 },
  { from: 'csv', beside: '../*.csv', by: 'epoch', offset: -1 },
]

const withEpoch = String.raw`(?:.*?[._-])??(?:(?:ep|epoch)[._-]?)?(?<epoch>\d+)(?:[._-].*)?`

export const keras: LayoutSpec = {
  id: 'keras',
  title: 'Keras',
  looks: '<name>.keras, <name>.weights.h5',
  forms: [
    {
      kind: 'file',
      name: new RegExp(`^(?:${withEpoch}|[^0-9]+)\\.keras$`),
      proof: {
        sure: [{ all: [{ zip: 'config.json' }, { zip: /^model\.weights/ }] }],
        typical: /\.keras$/,
      },
      facts: log,
    },
    {
      kind: 'file',
      name: new RegExp(`^(?!latest\\.)(?:${withEpoch}|[^0-9]+)\\.weights\\.h5$`),
      proof: { sure: [{ head: 'hdf5' }], typical: /\.weights\.h5$/, never: [{ beside: 'training_metadata.json' }] },
      facts: log,
      files: [{ name: /\.weights\.h5$/, role: 'weights', key: 'model' }],
      resumable: false,
    },
  ],
  copies: { names: /^(best|last|latest|final)\b/, by: ['file', 'content'] },
}
