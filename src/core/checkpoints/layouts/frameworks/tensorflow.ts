/**
 * TensorFlow's V2 checkpoints (tensorflow/python/checkpoint/checkpoint_management.py): `<prefix>.index` with
 * `<prefix>.data-<i>-of-<n>` are one; `checkpoint` beside them, a text proto, names the latest and all that its manager
 * knows. While it saves there is `<prefix>_temp/`.
 */
import type { Meta } from '../../../checkpoint.js'
import type { Unit } from '../engine/unit.js'
import type { LayoutIo, LayoutSpec } from '../spec.js'

export const tensorflow: LayoutSpec = {
  id: 'tensorflow',
  title: 'TensorFlow',
  looks: '<prefix>.index with <prefix>.data-00000-of-00001, and checkpoint',
  forms: [
    {
      kind: 'group',
      name: /^(?<unit>.*?[-_.]\d+)\.(?<part>index|meta|data-\d{5}-of-\d{5})$/,
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
      // The number in the name counts saves; the step is a variable within, if it is there at all.
      facts: [{ from: 'text', beside: 'checkpoint', pick: savedAt }],
      files: [
        { name: /\.index$/, role: 'index' },
        { name: /\.data-/, role: 'all' },
        { name: /\.meta$/, role: 'other', optional: true },
      ],
    },
  ],
  pointers: [{ file: 'checkpoint', holds: 'tensorflow', purpose: 'resume', onDelete: 'rewrite' }],
}

async function hasState({ folder }: Unit, io: LayoutIo): Promise<boolean> {
  const { head } = await io.look(`${folder.path}/checkpoint`)
  return new TextDecoder().decode(head).startsWith('model_checkpoint_path: "')
}

/** The manager's list has a time for each path, in the same order. */
function savedAt(content: Meta, { name }: Unit): Meta {
  const text = content.get('text')
  if (typeof text !== 'string') return new Map()
  const paths = [...text.matchAll(/^all_model_checkpoint_paths: "(.*)"$/gm)].map(([, path = '']) => path)
  const times = [...text.matchAll(/^all_model_checkpoint_timestamps: (.*)$/gm)].map(([, time]) => Number(time))
  const time = times[paths.findIndex((path) => path.split('/').at(-1) === name)]
  return new Map(time === undefined || Number.isNaN(time) ? [] : [['unixtime', time]])
}
