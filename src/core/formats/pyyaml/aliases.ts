/** Anchors and aliases: what an alias stands for, and a bound on what they multiply to. */
import {
  isAlias,
  isMap,
  isPair,
  isSeq,
  type Alias,
  type Pair,
  type ParsedNode,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import type { FormatError } from '../../errors.js'

export type Node = ParsedNode | Scalar | YAMLMap | YAMLSeq | Alias | null

/** Makes the error for a place, given as characters from the start of the text. */
export type Fail = (message: string, offset: number) => FormatError

/**
 * The node that each alias stands for. As in PyYAML's composer (yaml/composer.py), an alias reaches back only, and an
 * anchor's name is given once. Throws what `fail` makes.
 */
export function resolveAliases(root: Node, fail: Fail): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node>()
  const stack: (Node | Pair | undefined)[] = [root]
  while (stack.length > 0) {
    const node = stack.pop()
    if (node === null || node === undefined) continue
    if (isPair(node)) {
      stack.push(node.value as Node, node.key as Node)
    } else if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target === undefined) throw fail(`found the alias *${node.source} before its anchor`, offsetOf(node))
      targets.set(node, target)
    } else {
      if (node.anchor !== undefined) {
        if (anchors.has(node.anchor)) throw fail(`found the anchor &${node.anchor} a second time`, offsetOf(node))
        anchors.set(node.anchor, node)
      }
      if (isMap(node) || isSeq(node))
        for (let at = node.items.length - 1; at >= 0; at--) stack.push(node.items[at] as Node | Pair)
    }
  }
  return targets
}

/** Where a node begins, in characters from the start of the text. */
export function offsetOf(node: Node): number {
  return node?.range?.[0] ?? 0
}
