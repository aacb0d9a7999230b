/**
 * The names of the tensors in a saved object: the keys that lead to one, joined with dots, lists by index. A module
 * that was saved whole gives the names of its state_dict (torch/nn/modules/module.py, `_save_to_state_dict`).
 */
import { FormatError } from '../errors.js'
import { globalName, itemsOf, keyText, textOf } from './pickle/index.js'
import type { PickleInstance, PickleNode, PicklePair } from './pickle/index.js'
import { attributesOf, pairsOf } from './pickle/python.js'
import { tensorOf, type TorchComposite, type TorchTensor } from './torch-tensor.js'

export interface NamedTensor {
  /** Unique: of several that come to one name, the later ones have `#2`, `#3` behind it. */
  readonly name: string
  readonly tensor: TorchTensor
}

export interface TensorListing {
  readonly tensors: readonly NamedTensor[]
  /** Names that several tensors come to. */
  readonly repeated: readonly string[]
  /** Sparse and other tensors that are made of several; their parts are among `tensors`. */
  readonly composites: ReadonlyMap<string, TorchComposite>
  /** What is a tensor, by its node. */
  readonly found: ReadonlyMap<PickleNode, TorchTensor | TorchComposite>
  /** Where an object with tensors in it is met again, and the name that it has been listed under. */
  readonly again: ReadonlyMap<string, string>
}

/** Structure can be shared and so lead to one tensor by very many names (2^49 in a file of 1,000 bytes). */
const mostVisits = 3_000_000
const mostRepeats = 100_000
/** Python's own pickler gives up at about a thousand levels. */
const deepest = 20_000
/** Characters of all names together. */
const mostText = 1 << 26

/**
 * Lists every tensor below `root`. A tensor has a name for each place that holds it; a list, dict or object that is
 * met again is not gone through again, but a module is, for so does its state_dict. Throws FormatError when there
 * are too many names.
 */
export function listTensors(root: PickleNode): TensorListing {
  return new Walk().run(root)
}

/** How names are made: `module` in a module's state_dict, `root` when that is the whole file, else `plain`. */
type Manner = 'plain' | 'module' | 'root'
interface Child {
  /** Null: it adds nothing to the name. */
  readonly label: string | null
  readonly node: PickleNode
  readonly manner: Manner
}

const mostTold = 20

interface Frame {
  readonly node: PickleNode
  readonly name: string | null
  readonly children: readonly Child[]
  next: number
  /** Nothing was found below it, and nothing passed over. */
  barren: boolean
}

class Walk {
  readonly #tensors: NamedTensor[] = []
  readonly #names = new Map<string, number>()
  readonly #repeated = new Set<string>()
  readonly #composites = new Map<string, TorchComposite>()
  readonly #found = new Map<PickleNode, TorchTensor | TorchComposite>()
  readonly #frames: Frame[] = []
  /** Nodes that are being walked: what leads back to one is passed over. */
  readonly #open = new Set<PickleNode>()
  readonly #barren = new Set<PickleNode>()
  /** Plain containers by the name that they were first met under. */
  readonly #met = new Map<PickleNode, string>()
  readonly #again = new Map<string, string>()
  #visits = 0
  #repeats = 0
  #text = 0

  run(root: PickleNode): TensorListing {
    this.#visit(null, { label: null, node: root, manner: 'root' })
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      const child = frame.children[frame.next]
      frame.next += 1
      if (child === undefined) this.#leave(frame)
      else this.#visit(frame, child)
    }
    return {
      tensors: this.#tensors,
      repeated: [...this.#repeated],
      composites: this.#composites,
      found: this.#found,
      again: this.#again,
    }
  }

  #leave(frame: Frame): void {
    this.#frames.pop()
    this.#open.delete(frame.node)
    const above = this.#frames.at(-1)
    if (frame.barren) this.#barren.add(frame.node)
    else if (above !== undefined) above.barren = false
  }

  #visit(above: Frame | null, { label, node, manner }: Child): void {
    if (!canHold(node) || this.#barren.has(node)) return
    this.#visits += 1
    if (this.#visits > mostVisits) throw tooMany(`more than ${mostVisits} ways through its structure`)
    if (this.#open.has(node)) {
      if (above !== null) above.barren = false
      return
    }
    const name = label === null ? (above?.name ?? null) : joined(above?.name ?? null, label)
    const found = this.#tensorAt(node, name)
    if (found !== undefined && above !== null) above.barren = false
    if (found !== undefined && 'storage' in found) {
      this.#add(name ?? '', found)
      return
    }
    if (found !== undefined) this.#composites.set(name ?? '', found)
    if (found === undefined && manner === 'plain') {
      const met = this.#met.get(node)
      if (met !== undefined) {
        if (this.#again.size < mostTold) this.#again.set(name ?? '', met)
        return
      }
      this.#met.set(node, name ?? '')
    }
    const children =
      found === undefined
        ? childrenOf(node, manner)
        : found.parts.map(([part, partNode]): Child => ({ label: part, node: partNode, manner: 'plain' }))
    if (this.#frames.length >= deepest) throw tooMany(`more than ${deepest} levels, one within the other`)
    this.#open.add(node)
    this.#frames.push({ node, name, children, next: 0, barren: found === undefined })
  }

  #tensorAt(node: PickleNode, name: string | null): TorchTensor | TorchComposite | undefined {
    const known = this.#found.get(node)
    if (known !== undefined) {
      this.#repeats += 1
      if (this.#repeats > mostRepeats) throw tooMany(`more than ${mostRepeats} further names for the same tensors`)
      return known
    }
    try {
      const found = tensorOf(node)
      if (found !== undefined) this.#found.set(node, found)
      return found
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      throw new FormatError(`tensor ${JSON.stringify((name ?? '').slice(0, 200))}: ${error.message}`, { cause: error })
    }
  }

  #add(name: string, tensor: TorchTensor): void {
    const before = this.#names.get(name)
    const unique = before === undefined ? name : this.#uniqueName(name, before + 1)
    if (before === undefined) this.#names.set(name, 1)
    this.#text += unique.length
    if (this.#text > mostText) throw tooMany(`names of more than ${mostText} characters together`)
    this.#tensors.push({ name: unique, tensor })
  }

  /** Of a name that `count` tensors have come to. */
  #uniqueName(name: string, count: number): string {
    this.#names.set(name, count)
    this.#repeated.add(name)
    for (let number = count; ; number += 1) {
      const unique = `${name}#${number}`
      if (this.#names.has(unique)) continue
      this.#names.set(unique, 1)
      return unique
    }
  }
}

function tooMany(what: string): FormatError {
  return new FormatError(`torch: ${what}; no model has so many, the file is made to be unreadable`)
}

function joined(above: string | null, label: string): string {
  return above === null ? label : `${above}.${label}`
}

/** Most nodes are plain values, with nothing in them. */
function canHold(node: PickleNode): boolean {
  if (typeof node !== 'object' || node === null) return false
  switch (node.kind) {
    case 'call':
    case 'object':
      return true
    case 'dict':
      return node.entries.length > 0
    case 'list':
    case 'tuple':
    case 'set':
    case 'frozenset':
      return node.items.length > 0
    default:
      return false
  }
}

function childrenOf(node: PickleNode, manner: Manner): readonly Child[] {
  if (typeof node !== 'object' || node === null) return []
  switch (node.kind) {
    case 'list':
    case 'tuple':
    case 'set':
    case 'frozenset':
      return indexed(node.items)
    case 'dict':
      return keyed(node.entries)
    case 'call':
    case 'object':
      return insideOf(node, manner)
    default:
      return []
  }
}

function indexed(items: readonly PickleNode[]): Child[] {
  const children: Child[] = []
  for (const [index, node] of items.entries()) {
    if (canHold(node)) children.push({ label: String(index), node, manner: 'plain' })
  }
  return children
}

/** A key that comes twice keeps its first place and has its last value, as in Python. */
function keyed(pairs: readonly PicklePair[]): Child[] {
  const last = new Map<PickleNode, PickleNode>()
  for (const [key, value] of pairs) last.set(key, value)
  const children: Child[] = []
  for (const [key, node] of last) if (canHold(node)) children.push({ label: keyText(key), node, manner: 'plain' })
  return children
}

const containers =
  /^(?:collections\.(?:OrderedDict|Counter|deque)|(?:builtins|__builtin__)\.(?:dict|list|tuple|set|frozenset))$/

function insideOf(node: PickleInstance, manner: Manner): Child[] {
  const attributes = attributesOf(node)
  const module = moduleOf(attributes)
  if (module !== undefined && (manner !== 'plain' || module.modules.length > 0)) return insideModule(module, manner)
  const args = itemsOf(node.args) ?? []
  const pairs = [...node.entries, ...attributes]
  const name = globalName(node.callee) ?? ''
  if (containers.test(name)) {
    const given = args[0]
    const inner = typeof given === 'object' && given !== null && 'items' in given ? given.items : []
    const isMap = /Dict|Counter|dict$/.test(name)
    return [
      ...(isMap ? keyed([...pairsOf(given), ...pairs]) : [...indexed(inner), ...keyed(pairs)]),
      ...indexed(node.items),
    ]
  }
  const others = [...attributesOfOther(node), ...keywordsOf(node)]
  return [...indexed(args), ...keyed(pairs), ...indexed(node.items), ...others]
}

/** A state that is no dict goes to the object's own `__setstate__`. */
function attributesOfOther({ states }: PickleInstance): Child[] {
  return states.flatMap((state) => {
    const isDict = typeof state === 'object' && state?.kind === 'dict'
    const items = itemsOf(state)
    const isSlots = items?.length === 2 && items.every((one) => one === null || isDictNode(one))
    return isDict || isSlots ? [] : [{ label: null, node: state, manner: 'plain' as const }]
  })
}

function keywordsOf({ keywords }: PickleInstance): Child[] {
  return isDictNode(keywords) ? [{ label: null, node: keywords, manner: 'plain' }] : []
}

function isDictNode(node: PickleNode): boolean {
  return typeof node === 'object' && node?.kind === 'dict'
}

interface ModuleState {
  readonly parameters: readonly PicklePair[]
  readonly buffers: readonly PicklePair[]
  readonly modules: readonly PicklePair[]
  /** Names of buffers that are not saved. */
  readonly passing: ReadonlySet<string>
  readonly others: readonly PicklePair[]
}

const parts = new Set<PickleNode>(['_parameters', '_buffers', '_modules', '_non_persistent_buffers_set'])

/** True for what torch's nn.Module leaves behind. */
export function isModule(node: PickleNode): boolean {
  return typeof node === 'object' && node !== null && 'states' in node && moduleOf(attributesOf(node)) !== undefined
}

function moduleOf(attributes: readonly PicklePair[]): ModuleState | undefined {
  const part = (name: string) => attributes.find(([key]) => key === name)?.[1]
  const parameters = part('_parameters')
  const modules = part('_modules')
  if (parameters === undefined || modules === undefined) return undefined
  return {
    parameters: entriesOf(parameters),
    buffers: entriesOf(part('_buffers')),
    modules: entriesOf(modules),
    passing: textsOf(part('_non_persistent_buffers_set')),
    others: attributes.filter(([key]) => !parts.has(key)),
  }
}

/** A dict, or an OrderedDict as older versions had. */
function entriesOf(node: PickleNode | undefined): readonly PicklePair[] {
  if (typeof node !== 'object' || node === null) return []
  if (node.kind === 'dict') return node.entries
  if (node.kind !== 'call' && node.kind !== 'object') return []
  return [...pairsOf(itemsOf(node.args)?.[0]), ...node.entries]
}

/** A set as protocol 4 writes it, or as a call of `set` with a list. */
function textsOf(node: PickleNode | undefined): ReadonlySet<string> {
  if (typeof node !== 'object' || node === null) return new Set()
  const given = node.kind === 'call' ? itemsOf(node.args)?.[0] : node
  const items = typeof given === 'object' && given !== null && 'items' in given ? given.items : []
  return new Set(items.flatMap((item) => textOf(item) ?? []))
}

/**
 * A file that is one module holds its state_dict: no buffers that it would not save, and no tensors that it keeps
 * elsewhere. Of a module within other things all is told.
 */
function insideModule(module: ModuleState, manner: Manner): Child[] {
  const inner = manner === 'root' ? 'root' : 'module'
  const buffers =
    inner === 'root' ? module.buffers.filter(([key]) => !module.passing.has(keyText(key))) : module.buffers
  const modules = keyed(module.modules).map((child) => ({ ...child, manner: inner }) as const)
  return [...keyed(module.parameters), ...keyed(buffers), ...modules, ...(inner === 'root' ? [] : keyed(module.others))]
}
