/**
 * TensorFlow's V2 checkpoints (tensorflow/python/checkpoint/checkpoint_management.py): `<prefix>.index` with
 * `<prefix>.data-<i>-of-<n>` are one; `checkpoint` beside them, a text proto, names the latest and all that its manager
 * knows. While it saves there is `<prefix>_temp/`.
 */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import type { LayoutIo, LayoutSpec, Reading, Taken, Unit } from '../spec.js'
import { readVariables } from './tensorflow-variables.js'

export const tensorflow: LayoutSpec = {
  id: 'tensorflow',
  title: 'TensorFlow',
  looks: '<prefix>.index with <prefix>.data-00000-of-00001, and checkpoint',
  forms: [
    {
      kind: 'group',
      // A SavedModel, which is an export, has its own under the name of `variables`.
      name: /^(?<unit>(?!variables\.).+?)\.(?<part>index|meta|data-\d{5}-of-\d{5})$/,
      proof: {
        sure: [{ all: [{ file: /\.index$/ }, { file: /\.data-\d{5}-of-\d{5}$/ }] }],
        // Databases and corpora have an .index too.
        likely: [
          {
            all: [
              { file: /\.index$/ },
              { beside: 'checkpoint' },
              { says: 'has a checkpoint beside it that begins as its manager writes it', test: hasState },
            ],
          },
        ],
      },
      whole: {
        needs: [
          { any: [/\.index$/], reason: 'its .index, which is written last, is not there' },
          { any: [/\.data-\d{5}-of-\d{5}$/], reason: 'no .data file is there' },
        ],
        expects: ({ entries, name }) => {
          const count = Number(
            /-of-(\d{5})$/.exec(entries.find(({ name: one }) => one.includes('.data-'))?.name ?? '')?.[1],
          )
          const number = (index: number): string => String(index).padStart(5, '0')
          return Array.from({ length: count || 0 }, (_, index) => `${name}.data-${number(index)}-of-${number(count)}`)
        },
      },
      files: [
        { name: /\.index$/, role: 'index' },
        { name: /\.data-/, role: 'all' },
        { name: /\.meta$/, role: 'other', optional: true },
      ],
    },
  ],
  read: readAll,
  pointers: [{ file: 'checkpoint', holds: 'tensorflow', purpose: 'resume', onDelete: 'rewrite' }],
}

async function hasState({ folder }: Unit, io: LayoutIo): Promise<boolean> {
  const head = await (await io.look(`${folder.path}/checkpoint`)).head()
  return new TextDecoder().decode(head).startsWith('model_checkpoint_path: "')
}

async function readAll(taken: readonly Taken[], { storage }: LayoutIo): Promise<ReadonlyMap<Unit, Reading>> {
  const folder = taken[0]?.unit.folder.path ?? ''
  const [text] = await storage.read([`${folder}/checkpoint`], largestState)
  const times = text?.ok === true ? savedAt(new TextDecoder().decode(text.value)) : new Map<string, number>()
  const readings = new Map<Unit, Reading>()
  for (const { unit } of taken) {
    const { facts, findings, isModelAlone } = await readVariables(storage, unit)
    const counts = withNameAndTime(facts, unit.name, times.get(unit.name))
    const meta = new Map([...counts].filter(([key]) => key !== '#save'))
    readings.set(unit, { meta, counts, findings, ...(isModelAlone === true ? { resumable: false } : {}) })
  }
  return readings
}

/** Bytes of the manager's list: a line for each of some hundred checkpoints. */
const largestState = 1 << 22

/** `tf.train.Saver` puts its global step behind `model.ckpt-`; a Checkpoint's own number counts saves, and is not a step. */
function withNameAndTime(facts: Meta, name: string, time: number | undefined): Meta {
  const step = /\.ckpt-(\d+)$/.exec(name)?.[1]
  const own: [string, MetaValue][] = [
    ...(step === undefined ? [] : [['step', Number(step)] as [string, MetaValue]]),
    ...(time === undefined ? [] : [['unixtime', time] as [string, MetaValue]]),
  ]
  return new Map([...own, ...facts])
}

/** By a checkpoint's name: the manager's list has a time for each path, in the same order. */
function savedAt(text: string): ReadonlyMap<string, number> {
  const paths = [...text.matchAll(/^all_model_checkpoint_paths: "(.*)"$/gm)].map(([, path = '']) => path)
  const times = [...text.matchAll(/^all_model_checkpoint_timestamps: (.*)$/gm)].map(([, time]) => Number(time))
  return new Map(
    paths.flatMap((path, index): [string, number][] => {
      const [name, time = NaN] = [path.split('/').at(-1), times[index]]
      return name === undefined || Number.isNaN(time) ? [] : [[name, time]]
    }),
  )
}
