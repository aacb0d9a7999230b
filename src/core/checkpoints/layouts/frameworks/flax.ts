/**
 * flax.training.checkpoints without Orbax (flax/training/checkpoints.py): a msgpack file without extension,
 * `<prefix><step>`; it is written as `<prefix>tmp` and renamed.
 */
import type { Meta } from '../../../checkpoint.js'
import { FormatError } from '../../../errors.js'
import { readFlax, type FlaxNode } from '../../../formats/msgpack/flax.js'
import { takesLargest } from '../resume-search.js'
import type { FileLook, LayoutSpec, Question } from '../spec.js'
import { byteText } from '../../../formats/text/text.js'

export const flax: LayoutSpec = {
  id: 'flax',
  title: 'flax',
  looks: '<prefix><step>, a msgpack file without extension',
  resumesFrom: takesLargest('restore_checkpoint()', 'file', /(\d+(?:\.\d+)?)$/),
  holdsMore: (_, facts) => {
    const more = facts.get('#more')
    return typeof more === 'boolean' ? more : undefined
  },
  forms: [
    {
      kind: 'file',
      // The prefix is anyone's own, with a version in it too, or none; not `libcudart.so.11.0`.
      name: /^(?!.*\.so\.\d)(?:[A-Za-z](?:.*[^\d.])?\.?)?(?<step>\d+(?:\.\d+)?)$/,
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
      facts: [{ from: 'name' }, { from: 'look', tell: whatIsMore }],
    },
  ],
}

/** Beside a model's variables an optimizer's state, or what counts. */
async function whatIsMore(look: FileLook): Promise<Meta> {
  const more = await look.answer(holdsMoreThanModel)
  return new Map(more === null ? [] : [['#more', more]])
}

const holdsMoreThanModel: Question<boolean | null> = {
  text: 'more than a model of flax',
  fits: (value) => value === null || typeof value === 'boolean',
  ask: async ({ source }) => {
    try {
      const root = await readFlax(source)
      const counts = root.kind === 'map' && root.entries.some(([, { kind }]) => kind === 'value')
      return counts || holdsOptimizer(root, deepestOptimizer)
    } catch (error) {
      // What is broken is for health to say.
      if (error instanceof FormatError) return null
      throw error
    }
  },
}

/** A TrainState may lie under a key of the script's own, or in one that it is a part of. */
const deepestOptimizer = 3
const optimizer = /^(?:opt|opt_states?|optimi[sz]ers?(?:_states?)?)$/i

function holdsOptimizer(node: FlaxNode, depth: number): boolean {
  if (node.kind !== 'map' || depth === 0) return false
  return node.entries.some(([key, one]) => optimizer.test(key) || holdsOptimizer(one, depth - 1))
}

/**
 * The keys of a TrainState, each a text of msgpack with its length in the first byte, before a map or an array; or an
 * array: an extension of type
 * 1 with 8, 16 or 32 bits of length, in it a list of shape, dtype and bytes (flax/serialization.py, `_ndarray_to_bytes`).
 */
function isFlax(head: Uint8Array): boolean {
  const text = byteText(head)
  return /(?:\xa6params|\xa9opt_state)[\x80-\x8f\xc7-\xc9\xde\xdf]|(?:\xc7.|\xc8..|\xc9....)\x01\x93[\x90-\x9f]/s.test(
    text,
  )
}
