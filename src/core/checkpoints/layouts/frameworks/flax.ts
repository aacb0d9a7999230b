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
      proof: { sure: [{ head: 'msgpack' }] },
    },
  ],
}
