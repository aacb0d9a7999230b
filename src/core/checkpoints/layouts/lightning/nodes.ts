import { globalName, itemsOf, textOf, type PickleNode, type PicklePair } from '../../../formats/pickle/index.js'
import { attributesOf, pairsOf } from '../../../formats/pickle-values.js'

/** The pairs of a dict or an OrderedDict, the attributes of any other object; none of anything else. */
export function entriesOf(node: PickleNode | undefined): readonly PicklePair[] {
  if (typeof node !== 'object' || node === null) return []
  if (node.kind === 'dict') return node.entries
  if (node.kind !== 'call' && node.kind !== 'object') return []
  const isDict = globalName(node.callee)?.endsWith('Dict') === true
  return [...(isDict ? pairsOf(itemsOf(node.args)?.[0]) : []), ...node.entries, ...attributesOf(node)]
}

export function valueAt(node: PickleNode | undefined, key: string): PickleNode | undefined {
  return entriesOf(node).findLast(([one]) => textOf(one) === key)?.[1]
}
