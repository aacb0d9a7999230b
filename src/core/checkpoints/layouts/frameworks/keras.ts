/**
 * Keras (keras/src/callbacks/model_checkpoint.py, backup_and_restore.py, csv_logger.py): `.keras` archives and
 * `.weights.h5` files under whatever name the script gives; `{epoch}` in a name counts from 1, `epoch` in CSVLogger's
 * file from 0. Neither tells its epoch inside.
 */
import { sep } from 'node:path'
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { FormatError, StorageError } from '../../../errors.js'
import { readHdf5 } from '../../../formats/hdf5/hdf5.js'
import { byteText } from '../../../formats/text/text.js'
import { readWeightMap } from '../../../formats/safetensors/weight-map.js'
import { groupBy } from '../../../grouped.js'
import { toFinite } from '../finite-number.js'
import type { FactSource, FileLook, LayoutIo, LayoutSpec, Picked, Question, Unit } from '../spec.js'

/**
 * CSVLogger's file has whatever name and separator the script gives; its documentation calls it `training.log`. Texts
 * of other names may be notes, and many.
 */
const logNames = ['*.csv', '*.log', '*.tsv', '*log*.txt']
const logs = ['', '../'].flatMap((above) => logNames.map((name) => above + name))

/** None for what was saved within an epoch, whose metrics came later. */
function rowOf(known: Meta, all: readonly Meta[]): number | null {
  const { epoch, isWithin } = countOf(known, all)
  return epoch === null || isWithin ? null : epoch - 1
}

/** The epoch that a name counts, and whether it counts batches of that too. */
function countOf(known: Meta, all: readonly Meta[]): { readonly epoch: number | null; readonly isWithin: boolean } {
  const second = toFinite(known.get('#second'))
  if (second === null) return { epoch: toFinite(known.get('epoch')), isWithin: known.has('#batch') }
  let meanings = meaningsIn.get(all)
  if (meanings === undefined) {
    const alike = groupBy(all, (one) => one.get('#before'))
    meanings = new Map([...alike].map(([before, saves]) => [before, firstIsEpoch(saves)]))
    meaningsIn.set(all, meanings)
  }
  const isWithin = meanings.get(known.get('#before')) === true
  return { epoch: isWithin ? toFinite(known.get('#first')) : second, isWithin }
}

/** Of all of a run, by what stands before the two numbers of a name, whether the first of them is the epoch. */
const meaningsIn = new WeakMap<readonly Meta[], ReadonlyMap<MetaValue | undefined, boolean>>()

/**
 * Of `b1_004`, `b1_008`, `b2_004` the first number is the epoch and the second a batch, which begins anew in each; `model1_004`
 * alone, or with others that go on from it, has a model's number before its epoch, and so have names of which the
 * first number does not go up with the time of the save.
 */
function firstIsEpoch(all: readonly Meta[]): boolean {
  const saves = all.flatMap((one) => {
    const [first, second] = [toFinite(one.get('#first')), toFinite(one.get('#second'))]
    return first === null || second === null ? [] : [{ first, second, time: secondsOf(one.get('#date')) }]
  })
  saves.sort((a, b) => a.first - b.first || a.second - b.second)
  const following = saves.slice(1).map((save, index) => [saves[index] ?? save, save] as const)
  const goesBack = following.some(([a, b]) => a.first < b.first && b.second <= a.second)
  return goesBack && following.every(([a, b]) => a.time === null || b.time === null || a.time <= b.time)
}

const counted: FactSource = { from: 'run', tell: countsOf }

const log: readonly FactSource[] = [
  { from: 'name' },
  ...logs.map((beside): FactSource => ({
    from: 'csv',
    beside,
    by: 'epoch',
    requires: ['epoch'],
    key: rowOf,
  })),
  counted,
]

/** A number that stands apart, and is not a part of a metric's, which has a point in it: `best_7.479.keras`. */
const oneNumber = String.raw`(?:.*?[._-])??(?:(?:e|ep|epoch)[._-]?)?(?<!\d\.)(?<epoch>\d+)(?!\d|\.\d+(?!\.?\d))(?:[._-]?b(?:atch)?[._-]?(?<batch>\d+)(?!\d|\.\d))?(?:[._-].*)?`

/** A number right behind letters that do not say of what, and one more: `b1_004` of `b{epoch}_{batch:03d}`, or `model1_004`. */
const twoNumbers = String.raw`(?<before>(?:.*[._-])?(?!(?:e|ep|epoch)\d)[A-Za-z]+)(?<first>\d+)[_-](?<second>\d+)(?!\d|\.\d)(?:[._-].*)?`
const withEpoch = `${twoNumbers}|${oneNumber}`

const index = /\.weights\.json$/
/** The first shard of all; epochs count from 1. */
const firstShard = '_00000.weights.h5'
/** Files without an index that are compared; more of them are epochs, and not looked into for that. */
const mostWithoutIndex = 64

/** With `save_freq` in batches a name may count these too. */
const called = { batch: '#batch', before: '#before', first: '#first', second: '#second' } as const

export const keras: LayoutSpec = {
  id: 'keras',
  title: 'Keras',
  looks: '<name>.keras, <name>.weights.h5, <name>.weights.json with <name>_<N>.weights.h5, <name>.h5',
  forms: [
    {
      kind: 'file',
      name: new RegExp(`^(?:${withEpoch}|.+)\\.keras$`),
      called,
      proof: {
        sure: [{ all: [{ zip: 'config.json' }, { zip: /^model\.weights/ }] }],
        typical: /\.keras$/,
      },
      // A model that was not compiled has no optimizer.
      facts: [...log, { from: 'look', tell: ofArchive }, { from: 'run', tell: whenSaved }],
      resumable: (_, facts) => facts.get('#compiled') !== false,
    },
    {
      // Weights in shards (keras/src/saving/saving_lib.py, `ShardedH5IOStore`): the index is written last.
      kind: 'group',
      name: new RegExp(`^(?<unit>${withEpoch}|.+?)(?<part>_\\d{5}\\.weights\\.h5|\\.weights\\.json)$`),
      called,
      main: index,
      ownedByMain: true,
      withoutMain: (names) => names.length <= mostWithoutIndex && names.some((name) => name.endsWith(firstShard)),
      namedByMain: (text) => [...readWeightMap(text).shards.keys()],
      proof: {
        sure: [
          { all: [{ file: /\.weights\.h5$/ }, { json: ['weight_map'], of: index }] },
          { all: [{ not: { file: index } }, { says: 'are parts of one model', test: arePartsOfOne }] },
        ],
        typical: index,
      },
      whole: { last: index, lastName: 'its .weights.json', writer: 'save_weights' },
      facts: log,
      files: [
        { name: index, role: 'index', key: 'model' },
        { name: /\.weights\.h5$/, role: 'weights' },
      ],
      resumable: false,
    },
    {
      kind: 'file',
      name: new RegExp(`^(?!latest\\.)(?:${withEpoch}|.+)\\.weights\\.h5$`),
      called,
      proof: { sure: [{ head: 'hdf5' }], typical: /\.weights\.h5$/, never: [{ beside: 'training_metadata.json' }] },
      facts: log,
      files: [{ name: /\.weights\.h5$/, role: 'weights', key: 'model' }],
      resumable: false,
    },
    {
      // A whole model before Keras 3 (keras/src/legacy/saving/legacy_h5_format.py): its attributes stand near the start.
      kind: 'file',
      name: new RegExp(`^(?!.*\\.weights\\.h5$)(?:${withEpoch}|.+)\\.(?:h5|hdf5)$`),
      called,
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
  copies: {
    names: /^(?:.*[-_.])?(?:best|last|latest|final)(?![a-z])/i,
    by: ['file', 'content'],
    leave: /^metadata\.json$/,
  },
}

/** Whether the model was compiled, and when it was saved: by the job's own clock, to the second. */
async function ofArchive(look: FileLook): Promise<Picked> {
  const [config, metadata] = [await look.zipJson('config.json'), await look.zipJson('metadata.json')]
  const date = isMeta(metadata) ? metadata.get('date_saved') : undefined
  return {
    meta: [
      ...(isMeta(config) ? [['#compiled', (config.get('compile_config') ?? null) !== null] as const] : []),
      ...(typeof date === 'string' ? [['#date', date] as const] : []),
    ],
  }
}

/** The epoch of names with two numbers, which only the other names tell. */
function countsOf(all: readonly Meta[]): readonly Meta[] {
  return all.map((facts) => {
    const { epoch } = facts.has('#second') ? countOf(facts, all) : { epoch: null }
    return new Map<string, MetaValue>(epoch === null ? [] : [['epoch', epoch]])
  })
}

/** Where no name counts epochs, the time tells which is the newest: `best.keras` and `last.keras`. */
function whenSaved(all: readonly Meta[]): readonly Meta[] {
  if (all.some((facts) => facts.has('epoch') || facts.has('#second'))) return []
  return all.map((facts) => {
    const time = secondsOf(facts.get('#date'))
    return new Map<string, MetaValue>(time === null ? [] : [['unixtime', time]])
  })
}

const savedAt = /^(\d{4})-(\d\d)-(\d\d)@(\d\d):(\d\d):(\d\d)$/

function secondsOf(date: MetaValue | undefined): number | null {
  const [, ...parts] = typeof date === 'string' ? (savedAt.exec(date) ?? []) : []
  const [year = NaN, month = 1, ...rest] = parts.map(Number)
  return toFinite(new Date(year, month - 1, ...rest).getTime() / 1000)
}

function isOfKeras(head: Uint8Array): boolean {
  return /keras_version|layer_names/.test(byteText(head))
}

/**
 * True for shards whose index is not written yet, or has another name: each has variables that no other has, where the
 * epochs of a model all have the same.
 */
async function arePartsOfOne({ entries, folder }: Unit, io: LayoutIo): Promise<boolean> {
  const seen = new Set<string>()
  let read = 0
  for (const { name } of entries) {
    const variables = await variablesOf(folder.path + sep + name, io)
    if (variables.length === 0) continue
    // A model before Keras 3 had no shards.
    if (variables.some((one) => seen.has(one) || !/(?:^|\/)vars\/[^/]+$/.test(one))) return false
    for (const one of variables) seen.add(one)
    read += 1
  }
  if (read > 1) return true
  // One alone, or beside what is being written.
  return entries.length > 1 || folder.entries.some(({ name }) => name.endsWith('.weights.json'))
}

/** None where they cannot be read: it is being written. */
async function variablesOf(path: string, io: LayoutIo): Promise<readonly string[]> {
  try {
    const look = await io.look(path)
    const names = look.is.has('hdf5') ? await look.answer(variables) : ''
    return names === '' ? [] : names.split('\n')
  } catch (error) {
    if (error instanceof FormatError || error instanceof StorageError) return []
    throw error
  }
}

/** Names of datasets, a line each. */
const variables: Question<string> = {
  text: 'datasets of HDF5',
  fits: (value: MetaValue) => typeof value === 'string',
  ask: async ({ source }) => (await readHdf5(source)).entries.map(({ path }) => path).join('\n'),
}

/** BackupAndRestore: what an interrupted `fit` goes on from by itself, written over as it goes. */
export const kerasBackup: LayoutSpec = {
  id: 'keras-backup',
  title: "Keras's BackupAndRestore",
  looks: 'latest.weights.h5 with training_metadata.json',
  isOwnRestart: true,
  needs: (there) => new Map(there.map(({ name }) => [name, 'what an interrupted fit() goes on from'])),
  forms: [
    {
      kind: 'group',
      name: /^(?<part>(?:latest\.weights\.h5|training_metadata\.json)(?:\.bkp)?)$/,
      main: /^latest\.weights\.h5$/,
      proof: { sure: [{ all: [{ file: /^latest\.weights\.h5/ }, { file: /^training_metadata\.json/ }] }] },
      whole: { last: 'training_metadata.json' },
      // Epochs and batches that are done.
      facts: [{ from: 'json', file: 'training_metadata.json', take: { epoch: 'epoch', batch: 'batch' } }],
      files: [
        { name: /^latest\.weights\.h5$/, role: 'all', key: 'model' },
        { name: /^training_metadata\.json$/, role: 'loop' },
        { name: /\.bkp$/, role: 'other', optional: true },
      ],
    },
  ],
}
