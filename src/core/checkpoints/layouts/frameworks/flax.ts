/**
 * flax.training.checkpoints without Orbax (flax/training/checkpoints.py): a msgpack file without extension,
 * `<prefix><step>`; it is written as `<prefix>tmp` and renamed.
 */
import type { LayoutSpec } from '../spec.js'

export const flax: LayoutSpec = {
  id: 'flax',
  title: 'flax',
  looks: '<prefix><step>, a msgpack file without extension',
  forms: [
    {
      kind: 'file',
      name: /^[A-Za-z][\w-]*_(?<step>\d+)$/,
      proof: {
        sure: [
          {
            all: [
              { head: 'msgpack' },
              {
                says: 'holds params or opt_state at its top',
                test: async (unit, io) => isTrainState((await io.look(unit.path)).head),
              },
            ],
          },
        ],
      },
    },
  ],
}

/** The keys of a TrainState, each a text of msgpack with its length in the first byte. */
function isTrainState(head: Uint8Array): boolean {
  return /\xa6params|\xa9opt_state/.test(new TextDecoder('latin1').decode(head))
}
