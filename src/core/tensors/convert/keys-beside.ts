/** A part of a file of torch under its own key, with some of what lies beside it: what a loader reads of both. */
import { dictPairs } from '../../formats/torch/parts.js'
import type { Weights } from '../read/weights.js'
import { structureOf, type OutputStructure } from '../write/index.js'

/** The part and what `keys` name, as they are; null where the part is no key of the file. */
export async function structureWith({ file, path }: Weights, keys: readonly string[]): Promise<OutputStructure | null> {
  const structure = await structureOf(file)
  if (structure === undefined) return null
  const kept = new Set([path, ...keys])
  const entries = dictPairs(structure.root).filter(([key]) => typeof key === 'string' && kept.has(key))
  return entries.some(([key]) => key === path) ? { ...structure, root: { kind: 'dict', entries } } : null
}
