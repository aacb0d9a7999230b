/**
 * Keras (keras/src/callbacks/model_checkpoint.py, backup_and_restore.py, csv_logger.py): `.keras` archives and
 * `.weights.h5` files under whatever name the script gives; `{epoch}` in a name counts from 1, `epoch` in CSVLogger's
 * file from 0. Neither tells its epoch inside. BackupAndRestore's folder is its own business: the job's restart.
 */
import { isMeta } from '../../../checkpoint.js'
import type { FactSource, FileLook, LayoutSpec, Picked } from '../spec.js'

const log: readonly FactSource[] = [
  { from: 'name' },
  { from: 'csv', beside: '*.csv', by: 'epoch', offset: -1 },
  { from: 'csv', beside: '../*.csv', by: 'epoch', offset: -1 },
]

const withEpoch = String.raw`(?:.*?[._-])??(?:(?:ep|epoch)[._-]?)?(?<epoch>\d+)(?:[._-].*)?`

export const keras: LayoutSpec = {
  id: 'keras',
  title: 'Keras',
  looks: '<name>.keras, <name>.weights.h5, <name>.weights.json with <name>_<N>.weights.h5, <name>.h5',
  forms: [
    {
      kind: 'file',
      name: new RegExp(`^(?:${withEpoch}|[^0-9]+)\\.keras$`),
      proof: {
        sure: [{ all: [{ zip: 'config.json' }, { zip: /^model\.weights/ }] }],
        typical: /\.keras$/,
      },
      // A model that was not compiled has no optimizer.
      facts: [...log, { from: 'look', tell: compiled }],
      resumable: (_, facts) => facts.get('#compiled') !== false,
    },
    {
      // Weights in shards (keras/src/saving/saving_lib.py, `ShardedH5IOStore`): the index is written last.
      kind: 'group',
      name: new RegExp(`^(?<unit>${withEpoch}|.+?)(?<part>_\\d{5}\\.weights\\.h5|\\.weights\\.json)$`),
      main: /\.weights\.json$/,
      mustHaveMain: true,
      proof: {
        sure: [{ all: [{ file: /\.weights\.h5$/ }, { json: ['weight_map'], of: /\.weights\.json$/ }] }],
        typical: /\.weights\.json$/,
      },
      facts: log,
      files: [
        { name: /\.weights\.json$/, role: 'index', key: 'model' },
        { name: /\.weights\.h5$/, role: 'weights' },
      ],
      resumable: false,
    },
    {
      kind: 'file',
      name: new RegExp(`^(?!latest\\.)(?:${withEpoch}|[^0-9]+)\\.weights\\.h5$`),
      proof: { sure: [{ head: 'hdf5' }], typical: /\.weights\.h5$/, never: [{ beside: 'training_metadata.json' }] },
      facts: log,
      files: [{ name: /\.weights\.h5$/, role: 'weights', key: 'model' }],
      resumable: false,
    },
    {
      // A whole model before Keras 3 (keras/src/legacy/saving/legacy_h5_format.py): its attributes stand near the start.
      kind: 'file',
      name: new RegExp(`^(?!.*\\.weights\\.h5$)(?:${withEpoch}|[^0-9]+)\\.(?:h5|hdf5)$`),
      proof: {
        sure: [
          {
            all: [
              { head: 'hdf5' },
              {
                says: 'has the attribute keras_version or layer_names',
                test: async (unit, io) => isOfKeras(await (await io.look(unit.path)).head()),
              },
            ],
          },
        ],
      },
      facts: log,
      files: [{ name: /\.(h5|hdf5)$/, role: 'all', key: 'model' }],
    },
  ],
  copies: { names: /^(best|last|latest|final)\b/, by: ['file', 'content'] },
}

async function compiled(look: FileLook): Promise<Picked> {
  const config = await look.zipJson('config.json')
  return { meta: isMeta(config) ? [['#compiled', (config.get('compile_config') ?? null) !== null]] : [] }
}

function isOfKeras(head: Uint8Array): boolean {
  return /keras_version|layer_names/.test(new TextDecoder('latin1').decode(head))
}
