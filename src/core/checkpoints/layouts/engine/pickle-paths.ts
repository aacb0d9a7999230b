/** Ways through what a pickle holds. */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { FormatError } from '../../../errors.js'
import { globalName, itemsOf, textOf, type PickleNode, type PicklePair } from '../../../formats/pickle/index.js'
import { attributesOf, pairsOf } from '../../../formats/pickle/attributes.js'
import { PythonValues } from '../../../formats/python/pickle-values.js'
import type { TorchObject } from '../../../formats/torch/object.js'
import { tensorOf } from '../../../formats/torch/tensor.js'
import { toMetaValue } from '../../meta/index.js'

/** The pairs of a dict or an OrderedDict, the attributes of any other object; none of anything else. */
export function entriesOf(node: PickleNode | undefined): readonly PicklePair[] {
  if (typeof node !== 'object' || node === null) return []
  if (node.kind === 'dict') return node.entries
  if (node.kind !== 'call' && node.kind !== 'object') return []
  const isDict = globalName(node.callee)?.endsWith('Dict') === true
  return [...(isDict ? pairsOf(itemsOf(node.args)?.[0]) : []), ...node.entries, ...attributesOf(node)]
}

export function valueAt(node: PickleNode | undefined, key: string): PickleNode | undefined {
  return entriesOf(node).findLast(([one]) => keyText(one) === key)?.[1]
}

/** A key as text: Python's integers are keys too. */
export function keyText(node: PickleNode): string | undefined {
  return typeof node === 'number' || typeof node === 'bigint' ? String(node) : textOf(node)
}

/** What the keys lead to; a number leads into a list, a negative one from its end. */
export function nodeAt(root: PickleNode | undefined, path: readonly string[]): PickleNode | undefined {
  let node = root
  for (const key of path) {
    const items = node === undefined || !/^-?\d+$/.test(key) ? undefined : itemsOf(node)
    node = items === undefined ? valueAt(node, key) : items.at(Number(key))
  }
  return node
}

/** Keys of which each is looked into where any will do. */
const mostKeys = 1000

/** True where the keys lead to something other than None; a `*` is any key. */
export function holdsAt(root: PickleNode | undefined, path: readonly string[]): boolean {
  const star = path.indexOf('*')
  if (star === -1) return (nodeAt(root, path) ?? null) !== null
  const rest = path.slice(star + 1)
  const entries = entriesOf(nodeAt(root, path.slice(0, star)))
  return entries.slice(0, mostKeys).some(([, value]) => holdsAt(value, rest))
}

/** Values that one fact may be made of. */
const mostValues = 20_000

/**
 * A node as a value: numbers that tensors of one element or numpy hold as numbers, other tensors left out. Undefined for
 * what is nothing but these.
 */
export async function valueOf(object: TorchObject, node: PickleNode | undefined): Promise<MetaValue | undefined> {
  return new Values(object).of(node)
}

class Values {
  #left = mostValues

  constructor(private readonly object: TorchObject) {}

  async of(node: PickleNode | undefined, depth = 0): Promise<MetaValue | undefined> {
    this.#left -= 1
    if (node === undefined || this.#left < 0 || depth > 20) return undefined
    if (typeof node !== 'object' || node === null) return typeof node === 'bigint' ? narrow(node) : node
    if (isTensor(node)) return this.object.numberOf(node)
    const entries = node.kind === 'dict' || isMapping(node) ? entriesOf(node) : null
    if (entries !== null) return this.#map(entries, depth)
    if (node.kind === 'list' || node.kind === 'tuple') return this.#list(node.items, depth)
    const value = new PythonValues({ most: 1000, replace: (one) => (isTensor(one) ? null : undefined) }).value(node)
    return value === undefined ? undefined : toMetaValue(value)
  }

  async #map(entries: readonly PicklePair[], depth: number): Promise<MetaValue> {
    const map = new Map<string, MetaValue>()
    for (const [key, one] of entries) {
      const name = keyText(key) ?? ''
      const value = await this.of(one, depth + 1)
      if (value !== undefined) map.set(name, value)
    }
    return map
  }

  async #list(items: readonly PickleNode[], depth: number): Promise<MetaValue> {
    const list: MetaValue[] = []
    for (const item of items) {
      const value = await this.of(item, depth + 1)
      if (value !== undefined) list.push(value)
    }
    return list
  }
}

/** By key, the values right in it that hold no others: of thousands in a model or an optimizer's state none is made. */
export async function scalarsOf(object: TorchObject, node: PickleNode | undefined): Promise<Meta> {
  const last = new Map<string, PickleNode>()
  for (const [key, one] of entriesOf(node)) {
    const name = keyText(key)
    if (name !== undefined) last.set(name, one)
  }
  const scalars = new Map<string, MetaValue>()
  for (const [name, one] of last) {
    const value = holdsOthers(one) ? undefined : await valueOf(object, one)
    if (value === null || (value !== undefined && typeof value !== 'object')) scalars.set(name, value)
  }
  return scalars
}

function holdsOthers(node: PickleNode): boolean {
  if (typeof node !== 'object' || node === null) return false
  return node.kind === 'list' || node.kind === 'tuple' || node.kind === 'dict' || isMapping(node)
}

function isMapping(node: Exclude<PickleNode, null | string | number | bigint | boolean>): boolean {
  if (node.kind !== 'call' && node.kind !== 'object') return false
  return /(Dict|dict|Counter|Namespace)$/.test(globalName(node.callee) ?? '')
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** Also one that is broken: it is not a value. */
export function isTensor(node: PickleNode): boolean {
  try {
    return tensorOf(node) !== undefined
  } catch (error) {
    if (error instanceof FormatError) return true
    throw error
  }
}

/** Tensors looked at: a state dict that begins as one is one. */
const mostTensors = 1000
/** Parameters within a module have the path to them in their name; no file has such a suffix. */
const pathName =
  /^[^/\\\s]+\.(?!(?:wav|flac|mp3|ogg|m4a|jpe?g|png|gif|webp|tiff?|npy|npz|txt|json|csv|mp4|pt|h5)$)[\w-]+$/i
/** What some parameter of every model is called; data that has dots in its keys has others: `image.mean`, `train.x`. */
const parameterName = /(?:weight|bias|kernel|gamma|beta|embed|token|param|lora|running_|scale|codebook|freq)[^.]*$/i
/** Of a single layer. */
const layerName =
  /^(weight|bias|in_proj_weight|in_proj_bias|running_mean|running_var|num_batches_tracked|_extra_state)$/

/**
 * True for a whole module, and for tensors alone: those that a module's `state_dict()` gave (it notes `_metadata`), or
 * by names of parameters. A dict of data has names of its own, be it `weight` for one.
 */
export function isStateDict(node: PickleNode | undefined): boolean {
  if (isModule(node)) return true
  const all = entriesOf(node)
  const entries = all.filter(([key]) => keyText(key) !== '_metadata')
  if (entries.length === 0) return false
  const some = entries.slice(0, mostTensors)
  if (!some.every(([key, value]) => textOf(key) !== undefined && (isTensor(value) || isExtraState(key)))) return false
  if (entries.length < all.length) return true
  const names = some.map(([key]) => textOf(key) ?? '')
  if (names.some((name) => pathName.test(name) && parameterName.test(name))) return true
  return names.length > 1 && names.includes('weight') && names.every((name) => layerName.test(name))
}

/** torch.nn.Module has these attributes whatever its class is. */
function isModule(node: PickleNode | undefined): boolean {
  if (typeof node !== 'object' || node === null || (node.kind !== 'call' && node.kind !== 'object')) return false
  const names = new Set(attributesOf(node).map(([key]) => keyText(key)))
  return names.has('_parameters') && names.has('_buffers') && names.has('_modules')
}

function isExtraState(key: PickleNode): boolean {
  return textOf(key)?.endsWith('_extra_state') === true
}
