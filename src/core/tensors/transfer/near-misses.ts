/** Tensors that are likely the same under two names. */
import type { TensorInfo } from '../read/tensor.js'
import { dropPrefixes } from './prefixes.js'

export interface NearMiss {
  readonly source: TensorInfo
  readonly target: TensorInfo
}

/**
 * Pairs an unexpected with a missing tensor when their names are equal without the usual prefixes, or else when they
 * end alike and have one shape, and no other tensor does. In the order of the source.
 */
export function findNearMisses(unexpected: readonly TensorInfo[], missing: readonly TensorInfo[]): NearMiss[] {
  const bare = indexBy(missing, ({ name }) => dropPrefixes(name))
  const tails = indexBy(missing, tailAndShape)
  const sourceTails = indexBy(unexpected, tailAndShape)
  return unexpected.flatMap((source) => {
    const exact = bare.get(dropPrefixes(source.name))?.[0]
    if (exact !== undefined) return [{ source, target: exact }]
    const key = tailAndShape(source)
    const alike = tails.get(key) ?? []
    const target = alike[0]
    return target !== undefined && alike.length === 1 && sourceTails.get(key)?.length === 1 ? [{ source, target }] : []
  })
}

/** The last two parts of the name, and the shape. */
function tailAndShape({ name, shape }: TensorInfo): string {
  return `${shape.join(',')} ${name.split('.').slice(-2).join('.')}`
}

function indexBy(tensors: readonly TensorInfo[], keyOf: (tensor: TensorInfo) => string): Map<string, TensorInfo[]> {
  const index = new Map<string, TensorInfo[]>()
  for (const tensor of tensors) {
    const key = keyOf(tensor)
    const list = index.get(key)
    if (list === undefined) index.set(key, [tensor])
    else list.push(tensor)
  }
  return index
}

/** A flag that would make near misses match, and how many. */
export interface Suggestion {
  readonly flag: '--map' | '--strip-prefix' | '--add-prefix'
  readonly value: string
  readonly tensors: number
}

/**
 * What stands before the parts in which both names end, as flags; the one that helps most first. None for names that
 * are the same, which what renames them has taken apart.
 */
export function suggestFlags(nearMisses: readonly NearMiss[]): Suggestion[] {
  const found = new Map<string, Suggestion>()
  for (const { source, target } of nearMisses) {
    if (source.name === target.name) continue
    const suggestion = suggest(source.name, target.name)
    const key = `${suggestion.flag} ${suggestion.value}`
    found.set(key, { ...suggestion, tensors: (found.get(key)?.tensors ?? 0) + 1 })
  }
  return [...found.values()].sort((a, b) => b.tensors - a.tensors)
}

function suggest(source: string, target: string): Omit<Suggestion, 'tensors'> {
  const from = source.split('.')
  const to = target.split('.')
  while (from.length > 0 && to.length > 0 && from.at(-1) === to.at(-1)) {
    from.pop()
    to.pop()
  }
  if (to.length === 0) return { flag: '--strip-prefix', value: `${from.join('.')}.` }
  if (from.length === 0) return { flag: '--add-prefix', value: `${to.join('.')}.` }
  return { flag: '--map', value: `${from.join('.')}=${to.join('.')}` }
}
