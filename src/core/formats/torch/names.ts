/**
 * The names of the tensors in a saved object: the keys that lead to one, joined with dots, lists by index. A module
 * that was saved whole gives the names of its state_dict (torch/nn/modules/module.py, `_save_to_state_dict`).
 */
import { FormatError } from '../../errors.js'
import { deepest, globalName, itemsOf, textOf } from '../pickle/index.js'
import type { PickleInstance, PickleNode, PickleObject, PicklePair, PickleTensor } from '../pickle/index.js'
import { attributesOf, pairsOf, type Spend } from '../pickle/attributes.js'
import { keyText } from '../python/pickle-values.js'
import { StorageReferences, tensorOf, type TorchComposite, type TorchTensor } from './tensor.js'

export interface NamedTensor {
  /** Unique: of several that come to one name, the later ones have `#2`, `#3` behind it. */
  readonly name: string
  readonly tensor: TorchTensor | PickleTensor
  /** What a module keeps beside its state_dict: a buffer that is not saved, a plain attribute. */
  readonly beside?: true
}

export interface TensorListing {
  readonly tensors: readonly NamedTensor[]
  /** Names that several tensors come to. */
  readonly repeated: readonly string[]
  /** Sparse and other tensors that are made of several; their parts are among `tensors`. */
  readonly composites: ReadonlyMap<string, TorchComposite>
  /** What is a tensor, by its node; plain ones say it themselves. */
  readonly found: ReadonlyMap<PickleNode, TorchTensor | TorchComposite>
  /** Of plain tensors, by their index: true for those that are among `tensors`. */
  readonly isListed: readonly boolean[]
  /** Where an object with tensors in it is met again, and the name that it has been listed under. */
  readonly again: ReadonlyMap<string, string>
}

/**
 * Structure can be shared and so lead to one tensor by very many names (2^49 in a file of 1,000 bytes). These are for
 * a small file; a large one may hold more.
 */
const leastVisits = 1_000_000
/** Nodes looked through, also those with nothing in them. */
const leastSteps = 500_000
/** Further names for tensors that have one; as many as there are tensors are allowed in any case. */
const leastRepeats = 10_000
/** Values in keys that are not text or number, and characters of their texts. */
const leastInKeys = 1_000_000
/** Characters of all names together. */
const leastText = 1 << 26
/** Characters of one name. */
const longestName = 1 << 20

export interface ListingOptions {
  readonly storages?: StorageReferences
  /** Bytes of the file: what may be in it. */
  readonly fileSize?: number
  /** What tensor a node is, where it is one of another program's; torch's own are looked for when left out. */
  readonly find?: (node: PickleNode) => TorchTensor | TorchComposite | undefined
}

/**
 * Lists every tensor below `root`. A tensor has a name for each place that holds it; a list, dict or object that is
 * met again is not gone through again, but a module is, for so does its state_dict. Throws FormatError when there
 * are too many names.
 */
export function listTensors(root: PickleNode, options: ListingOptions = {}): TensorListing {
  return new Walk(options).run(root)
}

/** How names are made: `module` in a module's state_dict, `root` when that is the whole file, else `plain`. */
type Manner = 'plain' | 'module' | 'root'
interface Child {
  /** The key that leads to it; undefined where it adds nothing to the name. */
  readonly label: PickleNode | undefined
  readonly node: PickleNode
  readonly manner: Manner
  /** True for no part of a module's state_dict. */
  readonly beside?: boolean
}

const mostListed = 20

interface Frame {
  readonly node: PickleNode
  readonly name: string | null
  readonly beside: boolean
  readonly children: readonly Child[]
  next: number
  /** Nothing was found below it, and nothing passed over. */
  barren: boolean
}

class Walk {
  readonly #storages: StorageReferences
  readonly #fileSize: number
  readonly #tensors: NamedTensor[] = []
  readonly #names = new Set<string>()
  /** Names that several tensors came to, and the number that was given last. */
  readonly #repeated = new Map<string, number>()
  readonly #composites = new Map<string, TorchComposite>()
  readonly #found = new Map<PickleNode, TorchTensor | TorchComposite>()
  /** Of plain tensors, by their index: true for those that have a name. */
  readonly #plain: boolean[] = []
  #plainCount = 0
  readonly #frames: Frame[] = []
  /** Nodes that are being walked: what leads back to one is passed over. */
  readonly #open = new Set<PickleNode>()
  readonly #barren = new Set<PickleNode>()
  /** Plain containers by the name that they were first met under. */
  readonly #met = new Map<PickleNode, string>()
  readonly #again = new Map<string, string>()
  #visits = 0
  #repeats = 0
  #steps = 0
  readonly #spend: Spend = (count) => {
    this.#steps += count
    const most = leastSteps + this.#fileSize
    if (this.#steps > most) throw tooMany(`more than ${most} things to look at`)
  }
  #text = 0

  #inKeys = 0

  readonly #find: (node: PickleNode) => TorchTensor | TorchComposite | undefined

  constructor({ storages = new StorageReferences(), fileSize = 0, find }: ListingOptions) {
    this.#storages = storages
    this.#fileSize = fileSize
    this.#find = find ?? ((node) => tensorOf(node, storages))
  }

  run(root: PickleNode): TensorListing {
    this.#visit(null, { label: undefined, node: root, manner: 'root' })
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      const child = frame.children[frame.next]
      frame.next += 1
      if (child === undefined) this.#leave(frame)
      else this.#visit(frame, child)
    }
    return {
      tensors: this.#tensors,
      repeated: [...this.#repeated.keys()],
      composites: this.#composites,
      found: this.#found,
      isListed: this.#plain,
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

  #visit(above: Frame | null, { label, node, manner, beside: isBeside = false }: Child): void {
    const beside = isBeside || (above?.beside ?? false)
    if (!canHold(node) || this.#barren.has(node)) return
    this.#visits += 1
    const mostVisits = leastVisits + this.#fileSize / 4
    if (this.#visits > mostVisits) throw tooMany(`more than ${Math.floor(mostVisits)} ways through its structure`)
    if (this.#open.has(node)) {
      if (above !== null) above.barren = false
      return
    }
    const name = this.#nameOf(above, label)
    if (node.kind === 'tensor') {
      if (above !== null) above.barren = false
      this.#addPlain(name ?? '', node, beside)
      return
    }
    const found = this.#tensorAt(node, name)
    if (found !== undefined && above !== null) above.barren = false
    if (found !== undefined && 'storage' in found) {
      this.#add(name ?? '', found, beside)
      return
    }
    if (found !== undefined) this.#composites.set(name ?? '', found)
    if (found === undefined && manner === 'plain') {
      const met = this.#met.get(node)
      if (met !== undefined) {
        if (this.#again.size < mostListed) this.#again.set(name ?? '', met)
        return
      }
      this.#met.set(node, name ?? '')
    }
    const children =
      found === undefined
        ? childrenOf(node, manner, this.#spend)
        : found.parts.map(([part, partNode]): Child => ({ label: part, node: partNode, manner: 'plain' }))
    if (this.#frames.length >= deepest) throw tooMany(`more than ${deepest} levels, one within the other`)
    this.#open.add(node)
    this.#frames.push({ node, name, beside, children, next: 0, barren: found === undefined })
  }

  #nameOf(above: Frame | null, label: PickleNode | undefined): string | null {
    const before = above?.name ?? null
    if (label === undefined) return before
    const text = typeof label === 'string' ? label : this.#textOfKey(label)
    const length = (before?.length ?? 0) + text.length
    if (length > longestName) throw tooMany(`a name of more than ${longestName} characters`)
    return before === null ? text : `${before}.${text}`
  }

  #textOfKey(key: PickleNode): string {
    const { text, values } = keyText(key)
    this.#inKeys += values + text.length / 16
    const most = leastInKeys + this.#fileSize / 4
    if (this.#inKeys > most) throw tooMany(`more than ${Math.floor(most)} values in its keys`)
    return text
  }

  #tensorAt(node: PickleNode, name: string | null): TorchTensor | TorchComposite | undefined {
    const known = this.#found.get(node)
    if (known !== undefined) {
      this.#repeat()
      return known
    }
    try {
      const found = this.#find(node)
      if (found !== undefined) this.#found.set(node, found)
      if (found !== undefined && 'shape' in found) this.#spend(2 * found.shape.length)
      return found
    } catch (error) {
      throw withName(error, name ?? '')
    }
  }

  #addPlain(name: string, tensor: PickleTensor, beside: boolean): void {
    if (this.#plain[tensor.index] === true) this.#repeat()
    else {
      this.#plain[tensor.index] = true
      this.#plainCount += 1
      this.#spend(2 * tensor.shape.length)
      try {
        this.#storages.requireInside(tensor)
      } catch (error) {
        throw withName(error, name)
      }
    }
    this.#add(name, tensor, beside)
  }

  #repeat(): void {
    this.#repeats += 1
    const most = leastRepeats + this.#found.size + this.#plainCount
    if (this.#repeats > most) throw tooMany(`more than ${most} further names for the same tensors`)
  }

  #add(name: string, tensor: TorchTensor | PickleTensor, beside: boolean): void {
    const unique = this.#names.has(name) ? this.#uniqueName(name) : name
    this.#names.add(unique)
    this.#text += unique.length
    const mostText = leastText + this.#fileSize
    if (this.#text > mostText) throw tooMany(`names of more than ${mostText} characters together`)
    this.#tensors.push(beside ? { name: unique, tensor, beside } : { name: unique, tensor })
  }

  /** Of a name that is taken. */
  #uniqueName(name: string): string {
    let number = this.#repeated.get(name) ?? 1
    let unique = name
    while (this.#names.has(unique)) {
      number += 1
      unique = `${name}#${number}`
    }
    this.#repeated.set(name, number)
    return unique
  }
}

function withName(error: unknown, name: string): unknown {
  if (!(error instanceof FormatError)) return error
  return new FormatError(`tensor ${JSON.stringify(name.slice(0, 200))}: ${error.message}`, { cause: error })
}

function tooMany(what: string): FormatError {
  return new FormatError(`torch: ${what}; no model has that many, the file is made to be unreadable`)
}

/** Most nodes are plain values, with nothing in them. */
function canHold(node: PickleNode): node is PickleObject {
  if (typeof node !== 'object' || node === null) return false
  switch (node.kind) {
    case 'call':
    case 'object':
    case 'tensor':
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

function childrenOf(node: PickleNode, manner: Manner, spend: Spend): readonly Child[] {
  if (typeof node !== 'object' || node === null) return []
  switch (node.kind) {
    case 'list':
    case 'tuple':
    case 'set':
    case 'frozenset':
      return indexed(node.items, spend)
    case 'dict':
      return keyed(node.entries, spend)
    case 'call':
    case 'object':
      return insideOf(node, manner, spend)
    default:
      return []
  }
}

function indexed(items: readonly PickleNode[], spend: Spend): Child[] {
  spend(items.length)
  const children: Child[] = []
  for (const [index, node] of items.entries()) {
    if (canHold(node)) children.push({ label: String(index), node, manner: 'plain' })
  }
  return children
}

/** A key that comes twice keeps its first place and has its last value, as in Python. */
function keyed(pairs: readonly PicklePair[], spend: Spend): Child[] {
  spend(pairs.length)
  const children: Child[] = []
  for (const [label, node] of lastHolders(pairs)) if (canHold(node)) children.push({ label, node, manner: 'plain' })
  return children
}

/** The last value of each key that something within was ever set for: of settings there may be a hundred thousand. */
function lastHolders(pairs: readonly PicklePair[]): Iterable<PicklePair> {
  const keys = new Set<PickleNode>()
  for (const [key, node] of pairs) if (canHold(node)) keys.add(key)
  if (keys.size === pairs.length) return pairs
  return keys.size === 0 ? [] : new Map(pairs.filter(([key]) => keys.has(key)))
}

const containers =
  /^(?:collections\.(?:OrderedDict|Counter|deque)|(?:builtins|__builtin__)\.(?:dict|list|tuple|set|frozenset))$/

function insideOf(node: PickleInstance, manner: Manner, spend: Spend): readonly Child[] {
  const compiled = compiledFrom(node)
  if (compiled !== undefined) {
    return [{ label: '_orig_mod', node: compiled, manner: manner === 'root' ? 'root' : 'module' }]
  }
  const attributes = attributesOf(node, spend)
  if (mayBeModule(attributes) && (manner !== 'plain' || hasModules(attributes))) {
    return insideModule(moduleOf(attributes, spend), manner, spend)
  }
  const args = itemsOf(node.args) ?? []
  const pairs = joined(node.entries, attributes)
  const name = globalName(node.callee) ?? ''
  if (containers.test(name)) {
    const given = args[0]
    const inner = typeof given === 'object' && given !== null && 'items' in given ? given.items : []
    const isMap = /Dict|Counter|dict$/.test(name)
    const children = isMap
      ? keyed(joined(pairsOf(given, spend), pairs), spend)
      : joined(indexed(inner, spend), keyed(pairs, spend))
    return joined(children, indexed(node.items, spend))
  }
  const others = [...attributesOfOther(node), ...keywordsOf(node, attributes, spend)]
  return [...indexed(args, spend), ...keyed(pairs, spend), ...indexed(node.items, spend), ...others]
}

/** One behind the other; most often one of them is empty, and the other may be long. */
function joined<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  if (first.length === 0) return second
  return second.length === 0 ? first : [...first, ...second]
}

/** A state that is not a dict goes to the object's own `__setstate__`. */
function attributesOfOther({ states }: PickleInstance): Child[] {
  return states.flatMap((state) => {
    const isDict = typeof state === 'object' && state?.kind === 'dict'
    const items = itemsOf(state)
    const isSlots = items?.length === 2 && items.every((one) => one === null || isDictNode(one))
    return isDict || isSlots ? [] : [{ label: undefined, node: state, manner: 'plain' as const }]
  })
}

/** What an object was made with; mostly it keeps that under the same names. */
function keywordsOf({ keywords }: PickleInstance, attributes: readonly PicklePair[], spend: Spend): readonly Child[] {
  if (typeof keywords !== 'object' || keywords?.kind !== 'dict') return []
  spend(keywords.entries.length)
  const kept = new Set(attributes.map(([key]) => key))
  return keyed(
    keywords.entries.filter(([key]) => !kept.has(key)),
    spend,
  )
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

/** A module has its parts among its first attributes: nn.Module makes them before a class adds its own. */
const firstAttributes = 100

/** True for what torch's nn.Module leaves behind, and for one that torch.compile made. */
export function isModule(node: PickleNode): boolean {
  return isPlainModule(node) || compiledFrom(node) !== undefined
}

function isPlainModule(node: PickleNode | undefined): boolean {
  return typeof node === 'object' && node !== null && 'states' in node && mayBeModule(attributesOf(node))
}

/**
 * The module that one of torch.compile is made from again; its state_dict has it as `_orig_mod`
 * (torch/_dynamo/eval_frame.py, `OptimizedModule.__reduce__`).
 */
function compiledFrom(node: PickleNode): PickleNode | undefined {
  if (typeof node !== 'object' || node === null || !('callee' in node)) return undefined
  if (globalName(node.callee) !== 'torch._dynamo.eval_frame.OptimizedModule') return undefined
  const inner = itemsOf(node.args)?.[0]
  return isPlainModule(inner) ? inner : undefined
}

function mayBeModule(attributes: readonly PicklePair[]): boolean {
  return partOf(attributes, '_parameters') !== undefined && partOf(attributes, '_modules') !== undefined
}

function hasModules(attributes: readonly PicklePair[]): boolean {
  const modules = partOf(attributes, '_modules')
  return entriesOf(modules, () => undefined).length > 0
}

function partOf(attributes: readonly PicklePair[], name: string): PickleNode | undefined {
  for (let at = 0; at < attributes.length && at < firstAttributes; at += 1) {
    const [key, value] = attributes[at] ?? []
    if (key === name) return value
  }
  return undefined
}

function moduleOf(attributes: readonly PicklePair[], spend: Spend): ModuleState {
  spend(attributes.length)
  return {
    parameters: entriesOf(partOf(attributes, '_parameters'), spend),
    buffers: entriesOf(partOf(attributes, '_buffers'), spend),
    modules: entriesOf(partOf(attributes, '_modules'), spend),
    passing: textsOf(partOf(attributes, '_non_persistent_buffers_set'), spend),
    others: attributes.filter(([key]) => !parts.has(key)),
  }
}

/** A dict, or an OrderedDict as older versions had. */
function entriesOf(node: PickleNode | undefined, spend: Spend): readonly PicklePair[] {
  if (typeof node !== 'object' || node === null) return []
  if (node.kind === 'dict') return node.entries
  if (node.kind !== 'call' && node.kind !== 'object') return []
  const given = itemsOf(node.args)?.[0]
  return given === undefined ? node.entries : [...pairsOf(given, spend), ...node.entries]
}

/** A set as protocol 4 writes it, or as a call of `set` with a list. */
function textsOf(node: PickleNode | undefined, spend: Spend): ReadonlySet<string> {
  if (typeof node !== 'object' || node === null) return new Set()
  const given = node.kind === 'call' ? itemsOf(node.args)?.[0] : node
  const items = typeof given === 'object' && given !== null && 'items' in given ? given.items : []
  spend(items.length)
  return new Set(items.flatMap((item) => textOf(item) ?? []))
}

/**
 * A file that is one module holds its state_dict: no buffers that it would not save, and no tensors that it keeps
 * elsewhere. Of a module within other things all is shown.
 */
function insideModule(module: ModuleState, manner: Manner, spend: Spend): Child[] {
  const inner = manner === 'root' ? 'root' : 'module'
  const isPassing = ({ label }: Child) => label !== undefined && module.passing.has(textOf(label) ?? '')
  const buffers = keyed(module.buffers, spend).map((child) => ({ ...child, beside: isPassing(child) }))
  const modules = keyed(module.modules, spend).map((child) => ({ ...child, manner: inner }) as const)
  const saved = [...keyed(module.parameters, spend), ...buffers, ...modules]
  if (inner === 'root') return saved.filter(({ beside }) => beside !== true)
  return [...saved, ...keyed(module.others, spend).map((child) => ({ ...child, beside: true }))]
}
