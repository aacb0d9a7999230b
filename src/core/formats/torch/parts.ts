/**
 * Where the weights lie in what a training program saved: the state_dict alone, or under a key beside the optimizer,
 * the epoch and the rest. The keys are those of the frameworks; structure decides before names do.
 */
import { globalName, itemsOf, textOf, type PickleNode, type PicklePair } from '../pickle/index.js'
import { attributesOf, pairsOf } from '../pickle/attributes.js'
import { isModule } from './names.js'

export type PartRole = 'model' | 'ema' | 'optimizer' | 'other'

/** What one key of a saved object holds. */
export interface TorchPart {
  /** The keys that lead to it, joined with dots, as they begin the names of its tensors; empty for the whole object. */
  readonly path: string
  readonly role: PartRole
  /** Of tensors below it, also in other parts below. */
  readonly tensors: number
  /** A whole module, of which some tensors are not in its state_dict. */
  readonly isModule: boolean
  readonly node: PickleNode
  /** Paths below it that are not of it: a model's tensors can lie right beside its optimizer. */
  readonly except?: readonly string[]
}

export interface TorchParts {
  /** What holds tensors, in the order of the file; the whole object where it is one state_dict. */
  readonly parts: readonly TorchPart[]
  /** What a loader of the model reads; several where nothing tells which; none in a file without weights. */
  readonly weights: readonly TorchPart[]
  /** All keys of the objects on the way to them, as paths. */
  readonly keys: readonly string[]
  /** True for one state_dict and for a whole module: names and tensors say it all. */
  readonly isFlat: boolean
}

/** Keys of weights, the surest first. */
const modelKeys = [
  ...['state_dict', 'model_state_dict', 'model_state', 'model', 'module', 'network_weights', 'model_weights'],
  ...['network', 'net', 'weights', 'params', 'weight', 'model_dict', 'net_state_dict', 'net_dict', 'student'],
]
/** Of these another one may lie within. */
const wrapperKeys = new Set(['state_dict', 'model_state_dict', 'model', 'module'])

const optimizerKey = /optim|(?:^|[._-])opt(?:[._-]|$)/i
const averagedKey = /(?:^|[._-])(?:ema|avg|averaged?|swa|shadow|teacher|polyak)(?:[._-]|$)/i
const averagedCase = /[a-z]EMA/
const otherKey =
  /sched|scaler|rng|random|callback|loops?$|hparam|hyper_?param|(?:^|_)args?$|config|(?:^|_)cfg$|metric|logg|loader|sampler|epoch|iteration|criterion|loss|(?:^|_)amp(?:_|$)|early_?stop|history|datamodule|grad|train(?:er|ing)?_?state/i

/** Deeper than any framework puts its weights. */
const deepestPart = 4

/** `names` are those of the object's tensors. */
export function findParts(root: PickleNode, names: readonly string[]): TorchParts {
  return new Search(names).run(root)
}

interface Holder {
  readonly part: TorchPart
  readonly key: string
}

/** What the keys of a part hold: several tensors, or one right there, by a name with dots as modules give them. */
interface InPart {
  readonly holders: Holder[]
  readonly loose: number
  readonly looseNames: number
}

class Search {
  readonly #parts: TorchPart[] = []
  readonly #keys: string[] = []
  readonly #names: readonly string[]

  constructor(names: readonly string[]) {
    this.#names = names
  }

  run(root: PickleNode): TorchParts {
    const whole: TorchPart = {
      path: '',
      role: 'model',
      tensors: this.#names.length,
      isModule: isModule(root),
      node: root,
    }
    const weights = this.#weightsIn(whole, 0)
    const isFlat = whole.isModule || this.#isFlat(root)
    const role = weights.length === 0 ? 'optimizer' : 'model'
    return { parts: this.#parts.length === 0 ? [{ ...whole, role }] : this.#parts, weights, keys: this.#keys, isFlat }
  }

  /** True where each key is a tensor's name, and there is no other. */
  #isFlat(root: PickleNode): boolean {
    const { length } = this.#names
    if (dictPairs(root).length !== length) return false
    const values = textValues(root)
    return values.size === length && this.#names.every((name) => values.has(name))
  }

  /** The weights at or below `part`, which is none of an optimizer's. */
  #weightsIn(part: TorchPart, depth: number): readonly TorchPart[] {
    if (part.tensors === 0 || (!part.isModule && isOptimizerState(part.node))) return []
    const values = part.isModule ? new Map<string, PickleNode>() : textValues(part.node)
    const { holders, loose, looseNames } = this.#holdersIn(part, values)
    if (holders.length === 0 || isStateWithExtras(holders, loose)) return [part]
    for (const { part: held } of holders) this.#parts.push(held)
    for (const key of values.keys()) this.#keys.push(below(part.path, key))
    const candidates = holders.filter(({ part: held }) => held.role === 'model')
    const known = modelKeys.flatMap((key) => candidates.find((one) => one.key === key) ?? [])[0]
    if (known === undefined && looseNames > 0) return [this.#addLoose(part, holders, loose)]
    const averaged = holders.filter(({ part: held }) => held.role === 'ema')
    const chosen = known === undefined ? candidates : [known]
    const [only, ...others] = chosen.length > 0 ? chosen : averaged
    if (only === undefined) return []
    if (others.length > 0) return chosen.map(({ part: held }) => held)
    return this.#within(only, depth + 1)
  }

  /** A lone part may have the weights further in, beside what belongs to them. */
  #within({ part, key }: Holder, depth: number): readonly TorchPart[] {
    if (depth >= deepestPart) return [part]
    const goesOn = modelKeys.includes(key) ? wrapperKeys.has(key) && holdsWrapper(part.node) : !part.isModule
    return goesOn ? this.#weightsIn(part, depth) : [part]
  }

  /** The tensors that lie right in `part`, beside what its other keys hold. */
  #addLoose(part: TorchPart, holders: readonly Holder[], tensors: number): TorchPart {
    const except = holders.map(({ part: held }) => held.path)
    const model: TorchPart = { ...part, role: 'model', tensors, except }
    this.#parts.push(model)
    return model
  }

  #holdersIn({ path }: TorchPart, values: ReadonlyMap<string, PickleNode>): InPart {
    const counts = this.#countsBelow(path, values)
    const holders: Holder[] = []
    let loose = 0
    let looseNames = 0
    for (const [key, node] of values) {
      const { tensors = 0, isOne = false } = counts.get(key) ?? {}
      if (isOne) {
        loose += 1
        if (key.includes('.')) looseNames += 1
      } else if (tensors > 0 && holdsMore(node)) {
        const inner = isModule(node)
        const role = !inner && isOptimizerState(node) ? 'optimizer' : roleOf(key)
        holders.push({ key, part: { path: below(path, key), role, tensors, isModule: inner, node } })
      }
    }
    return { holders, loose, looseNames }
  }

  /** How many tensors lie below each key, and whether one lies right at it. */
  #countsBelow(path: string, keys: Keys): Map<string, { tensors: number; isOne: boolean }> {
    const counts = new Map<string, { tensors: number; isOne: boolean }>()
    const dots = dotsIn(keys)
    const start = path === '' ? 0 : path.length + 1
    for (const name of this.#names) {
      if (path !== '' && !name.startsWith(`${path}.`)) continue
      const key = keyOf(name.slice(start), keys, dots)
      if (key === undefined) continue
      const count = counts.get(key) ?? { tensors: 0, isOne: false }
      count.tensors += 1
      count.isOne ||= name.length === start + key.length
      counts.set(key, count)
    }
    return counts
  }
}

/** Keys with more dots in them are those of tensors, which are asked for whole. */
const mostDots = 8
const mostKeys = 1000

type Keys = Pick<ReadonlyMap<string, unknown>, 'has' | 'keys'>

/** The most dots in one of the first keys. */
function dotsIn(keys: Keys): number {
  let [most, seen] = [0, 0]
  for (const key of keys.keys()) {
    if (seen === mostKeys) break
    most = Math.max(most, Math.min(mostDots, key.split('.').length - 1))
    seen += 1
  }
  return most
}

/** Keys of a state_dict have dots in them: the whole name is asked for first, then its first parts. */
function keyOf(name: string, keys: Keys, dots: number): string | undefined {
  if (keys.has(name)) return name
  let end = name.indexOf('.')
  for (let dot = 0; dot <= dots && end > 0; dot += 1) {
    const key = name.slice(0, end)
    if (keys.has(key)) return key
    end = name.indexOf('.', end + 1)
  }
  return undefined
}

function below(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/** A state_dict may hold what a module adds to it (`_extra_state`), with tensors in it. */
function isStateWithExtras(holders: readonly Holder[], loose: number): boolean {
  if (holders.every(({ key }) => key === '_extra_state' || key.endsWith('._extra_state'))) return true
  if (holders.some(({ key }) => modelKeys.includes(key))) return false
  return loose > holders.length && holders.every(({ part }) => part.role === 'model')
}

function roleOf(key: string): PartRole {
  if (optimizerKey.test(key)) return 'optimizer'
  if (averagedKey.test(key) || averagedCase.test(key)) return 'ema'
  if (modelKeys.includes(key)) return 'model'
  return otherKey.test(key) ? 'other' : 'model'
}

/** What torch.optim's state_dict is. */
function isOptimizerState(node: PickleNode): boolean {
  const pairs = dictPairs(node)
  return ['param_groups', 'state'].every((wanted) => pairs.some(([key]) => textOf(key) === wanted))
}

/** What a dict, an OrderedDict and their like hold by keys that are texts, as Python reads it; nothing of anything else. */
function textValues(node: PickleNode): Map<string, PickleNode> {
  const values = new Map<string, PickleNode>()
  for (const [key, value] of dictPairs(node)) {
    const text = textOf(key)
    if (text !== undefined) values.set(text, value)
  }
  return values
}

const dictLike = /(?:^|\.)(?:OrderedDict|defaultdict|dict|\w*Dict|Counter)$/

export function dictPairs(node: PickleNode): readonly PicklePair[] {
  if (typeof node !== 'object' || node === null) return []
  if (node.kind === 'dict') return node.entries
  if (node.kind !== 'call' && node.kind !== 'object') return []
  if (!dictLike.test(globalName(node.callee) ?? '')) return []
  const given = itemsOf(node.args)?.[0]
  return [...(given === undefined ? [] : pairsOf(given, () => undefined)), ...node.entries]
}

/** True for what can hold more than one tensor by name. */
function holdsMore(node: PickleNode): boolean {
  return (
    typeof node === 'object' && node !== null && (dictPairs(node).length > 0 || 'items' in node || hasAttributes(node))
  )
}

function hasAttributes(node: PickleNode): boolean {
  return typeof node === 'object' && node !== null && 'states' in node && attributesOf(node).length > 0
}

/** True where the weights may lie further in. */
function holdsWrapper(node: PickleNode): boolean {
  return dictPairs(node).some(([key, value]) => wrapperKeys.has(textOf(key) ?? '') && holdsMore(value))
}
