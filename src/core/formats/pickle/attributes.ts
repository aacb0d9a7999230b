/** What a pickle's instance is given as a dict: its attributes, or the pairs that it is made from. */
import type { PickleInstance, PickleNode, PicklePair } from './nodes.js'

/** Called with how many nodes are about to be looked through. Shared ones are met again and again: it may throw. */
export type Spend = (count: number) => void
const freely: Spend = () => undefined

/** What BUILD gives an object: a dict of attributes, or (dict, dict of slots). */
export function attributesOf({ states }: PickleInstance, spend = freely): readonly PicklePair[] {
  spend(states.length)
  const found: PicklePair[][] = []
  for (const state of states) {
    const parts =
      typeof state === 'object' && state?.kind === 'tuple' && state.items.length === 2 ? state.items : [state]
    for (const part of parts) if (typeof part === 'object' && part?.kind === 'dict') found.push(part.entries)
  }
  const [only] = found
  if (found.length === 1 && only !== undefined) return only
  return found.flatMap((entries) => {
    spend(entries.length)
    return entries
  })
}

/** The pairs that a dict is made from: a dict, or a list of pairs. */
export function pairsOf(node: PickleNode | undefined, spend = freely): readonly PicklePair[] {
  if (typeof node !== 'object' || node === null) return []
  if (node.kind === 'dict') return node.entries
  if (node.kind !== 'list' && node.kind !== 'tuple') return []
  spend(node.items.length)
  return node.items.flatMap((item): PicklePair[] => {
    if (typeof item !== 'object' || item === null || !('items' in item) || item.items.length !== 2) return []
    const [key = null, value = null] = item.items
    return [[key, value]]
  })
}
