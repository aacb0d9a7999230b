/**
 * flax.training.checkpoints without Orbax (flax/training/checkpoints.py): a msgpack file without extension,
 * `<prefix><step>`; it is written as `<prefix>tmp` and renamed.
 */
import type { LayoutSpec } from '../spec.js'
import { takesLargest } from '../resume-search.js'

export const flax: LayoutSpec = {
  id: 'flax',
  title: 'flax',
  looks: '<prefix><step>, a msgpack file without extension',
  resumesFrom: takesLargest('restore_checkpoint()', 'file', /(\d+(?:\.\d+)?)$/),
  forms: [
    {
      kind: 'file',
      name: /^[A-Za-z][\w-]*?(?<step>\d+(?:\.\d+)?)$/,
      proof: {
        sure: [
          {
            all: [
              { head: 'msgpack' },
              {
                says: 'holds params or opt_state at its top, or an array as flax writes it',
                test: async (unit, io) => isFlax(await (await io.look(unit.path)).head()),
              },
            ],
          },
        ],
      },
    },
  ],
}

/**
 * The keys of a TrainState, each a text of msgpack with its length in the first byte, before a map or an array; or an
 * array: an extension of type
 * 1 with 8, 16 or 32 bits of length, in it a list of shape, dtype and bytes (flax/serialization.py, `_ndarray_to_bytes`).
 */
function isFlax(head: Uint8Array): boolean {
  const text = new TextDecoder('latin1').decode(head)
  return /(?:\xa6params|\xa9opt_state)[\x80-\x8f\xc7-\xc9\xde\xdf]|(?:\xc7.|\xc8..|\xc9....)\x01\x93[\x90-\x9f]/s.test(
    text,
  )
}
