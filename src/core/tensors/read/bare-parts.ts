/** The parts of a saved object without the nodes that they were found in. */
import type { PickleNode } from '../../formats/pickle/index.js'
import { findParts } from '../../formats/torch/parts.js'
import type { FileParts } from './file-parts.js'

/** `names` are those of the object's tensors. */
export function barePartsOf(root: PickleNode, names: readonly string[]): FileParts {
  const { parts, weights, keys } = findParts(root, names)
  const bare = ({ path, role, tensors, isModule, except }: (typeof parts)[number]) => ({
    ...{ path, role, tensors, isModule },
    ...(except === undefined ? {} : { except }),
  })
  return { parts: parts.map(bare), weights: weights.map(bare), keys }
}
