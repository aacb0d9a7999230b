/** Tied weights of a target: one parameter under several names, and filling one fills all. */
import { addTo } from '../../grouped.js'
import type { TensorFile, TensorInfo } from '../read/tensor.js'
import { locationOf, type Ties } from '../read/ties.js'
import type { Pair } from './pair-tensors.js'

export interface Filled {
  /** In the order of the target's data. */
  readonly pairs: readonly Pair[]
  /** For people: names that the source has different tensors for. */
  readonly conflicts: readonly string[]
}

/**
 * Gives all names of a parameter the same tensor of the source. Where the source has several the last one counts, as
 * it does when `load_state_dict` copies one after another into the same storage.
 */
export function fillTied(
  source: TensorFile,
  target: TensorFile,
  own: readonly Pair[],
  ties: Ties,
  fits: (pair: Pair) => boolean,
): Filled {
  if (ties.size === 0) return { pairs: own, conflicts: [] }
  const byName = new Map(own.map((pair) => [pair.target.name, pair]))
  const fillers = new Map<string, Pair>()
  const conflicts: string[] = []
  for (const names of groupsOf(target, ties)) {
    const found = names.flatMap((name) => byName.get(name) ?? [])
    const filler = found.filter(fits).at(-1)
    if (filler === undefined) continue
    for (const name of names) fillers.set(name, filler)
    const others = found.filter((pair) => !isSame(source, pair.source, filler.source)).map((pair) => pair.source.name)
    if (others.length > 0) conflicts.push(tellConflict(names, filler, others))
  }
  const pairs = target.tensors.flatMap((tensor): Pair[] => {
    const filler = fillers.get(tensor.name)
    if (filler === undefined) return [byName.get(tensor.name) ?? []].flat()
    const pair = { ...filler, target: tensor }
    return [tensor.name === filler.target.name ? pair : { ...pair, through: filler.target.name }]
  })
  return { pairs, conflicts }
}

/** In the order of the target. */
function groupsOf({ tensors }: TensorFile, ties: Ties): string[][] {
  const tied = new Set([...ties.keys(), ...ties.values()])
  const groups = new Map<string, string[]>()
  for (const { name } of tensors) {
    if (!tied.has(name)) continue
    const kept = ties.get(name) ?? name
    addTo(groups, kept, name)
  }
  return [...groups.values()]
}

function isSame(source: TensorFile, one: TensorInfo, other: TensorInfo): boolean {
  if (one.name === other.name) return true
  const location = locationOf(source, one)
  return location !== undefined && location === locationOf(source, other)
}

function tellConflict(names: readonly string[], { source }: Pair, others: readonly string[]): string {
  const list = names.map((name) => JSON.stringify(name)).join(' and ')
  const left = others.map((name) => JSON.stringify(name)).join(', ')
  return `${list} are one parameter in the target, and the source has a tensor for each: ${JSON.stringify(source.name)} is taken, ${left} left out`
}
