/**
 * What a file of torch holds around its tensors, as far as it is plain data: torch's restricted reader takes that, and
 * refuses a file with anything else in it (PyTorch: torch/_weights_only_unpickler.py).
 */
import {
  globalName,
  itemsOf,
  type PickleInstance,
  type PickleNode,
  type PicklePair,
} from '../../formats/pickle/index.js'
import { dictPairs } from '../../formats/torch/parts.js'
import type { OutputStructure } from '../write/index.js'
import type { Weights } from '../read/weights.js'

export interface PlainStructure {
  readonly structure: OutputStructure
  /** Values that were left out of it. */
  readonly dropped: number
}

/** Null where a state_dict of the tensors says it all. */
export async function plainStructureOf({ file, path, leftOut }: Weights): Promise<PlainStructure | null> {
  if (file.isNested !== true) return null
  const structure = await file.structure?.()
  if (structure === undefined) return null
  const names = new Map([...structure.nodes].map(([name, node]) => [node, name]))
  const part = nodeAt(structure.root, path)
  if (dictPairs(part).length === 0 || isFlat(part, names)) return null
  const unwanted = path === '' ? new Set(leftOut.map((one) => one.path)) : new Set<string>()
  const copy = new PlainCopy(names)
  const root = copy.top(part, unwanted)
  // A module, of which nothing is plain but its tensors.
  if (copy.tensors < file.tensors.length) return null
  return {
    structure: { root, names, storageOf: structure.storageOf },
    dropped: copy.dropped,
  }
}

/** The value that keys joined with dots lead to. */
function nodeAt(root: PickleNode, path: string): PickleNode {
  let at = root
  let rest = path
  while (rest !== '') {
    const steps = dictPairs(at).flatMap(([key, value]) => (typeof key === 'string' ? [{ key, value }] : []))
    const step = steps.find(({ key }) => rest === key || rest.startsWith(`${key}.`))
    if (step === undefined) return at
    rest = rest.slice(step.key.length + 1)
    at = step.value
  }
  return at
}

function isFlat(node: PickleNode, names: ReadonlyMap<PickleNode, string>): boolean {
  return dictPairs(node).every(([, value]) => names.has(inner(value)))
}

/** Of a parameter the tensor. */
function inner(node: PickleNode): PickleNode {
  if (typeof node !== 'object' || node?.kind !== 'call') return node
  const isParameter = (globalName(node.callee) ?? '').endsWith('._rebuild_parameter')
  return isParameter ? (itemsOf(node.args)?.[0] ?? node) : node
}

/** What torch's restricted reader calls, beside what makes tensors. */
const plainCalls = new Set([
  'collections.OrderedDict',
  'collections.Counter',
  'torch.Size',
  'torch.device',
  '_codecs.encode',
  'builtins.set',
  '__builtin__.set',
])

const deepestCopied = 200

class PlainCopy {
  dropped = 0
  tensors = 0
  readonly #names: ReadonlyMap<PickleNode, string>
  readonly #copies = new Map<PickleNode, PickleNode | undefined>()
  #depth = 0

  constructor(names: ReadonlyMap<PickleNode, string>) {
    this.#names = names
  }

  /** The part itself, without the keys that are `unwanted`. */
  top(node: PickleNode, unwanted: ReadonlySet<string>): PickleNode {
    const pairs = dictPairs(node).filter(([key]) => typeof key !== 'string' || !unwanted.has(key))
    const isOrdered = typeof node === 'object' && node?.kind !== 'dict'
    const entries = this.#entries(pairs)
    return isOrdered
      ? ordered(entries, node as PickleInstance, (state) => this.#copy(state))
      : { kind: 'dict', entries }
  }

  #entries(pairs: readonly PicklePair[]): PicklePair[] {
    return pairs.flatMap(([key, value]): PicklePair[] => {
      const newKey = this.#copy(key)
      const copy = this.#copy(value)
      if (newKey !== undefined && copy !== undefined) return [[newKey, copy]]
      this.dropped += 1
      return []
    })
  }

  /** Undefined for what is not plain data. */
  #copy(node: PickleNode): PickleNode | undefined {
    if (typeof node !== 'object' || node === null) return node
    const tensor = inner(node)
    if (this.#names.has(tensor)) {
      this.tensors += 1
      return tensor
    }
    if (this.#copies.has(node)) return this.#copies.get(node)
    if (this.#depth >= deepestCopied) return undefined
    // What leads back to itself is not plain data.
    this.#copies.set(node, undefined)
    this.#depth += 1
    const copy = this.#copyOf(node)
    this.#depth -= 1
    this.#copies.set(node, copy)
    return copy
  }

  #copyOf(node: Exclude<PickleNode, null | boolean | bigint | number | string>): PickleNode | undefined {
    switch (node.kind) {
      case 'bytes':
      case 'string':
        return node
      case 'global':
        return node.module === 'torch' && /^(?:float|bfloat|complex|u?int|bool)/.test(node.name) ? node : undefined
      case 'dict':
        return { kind: 'dict', entries: this.#entries(node.entries) }
      case 'list':
      case 'tuple':
      case 'set': {
        const items = node.items.map((item) => this.#copy(item))
        return items.includes(undefined) ? undefined : { kind: node.kind, items: items as PickleNode[] }
      }
      case 'call':
        return this.#call(node)
      default:
        return undefined
    }
  }

  #call(node: PickleInstance): PickleNode | undefined {
    const name = globalName(node.callee) ?? ''
    if (!plainCalls.has(name) || node.items.length > 0) return undefined
    if (name === 'collections.OrderedDict') {
      return ordered(this.#entries(dictPairs(node)), node, (state) => this.#copy(state))
    }
    const args = this.#copy(node.args)
    return args === undefined || node.entries.length > 0 ? undefined : { ...node, args, states: [] }
  }
}

/** With what torch keeps at it of the versions of its modules. */
function ordered(
  entries: PicklePair[],
  node: PickleInstance,
  copy: (state: PickleNode) => PickleNode | undefined,
): PickleNode {
  const states = node.states.flatMap((state) => copy(state) ?? [])
  const callee = { kind: 'global', module: 'collections', name: 'OrderedDict' } as const
  const args: PickleNode = { kind: 'tuple', items: [] }
  return { kind: 'call', callee, args, keywords: null, states, items: [], entries }
}
