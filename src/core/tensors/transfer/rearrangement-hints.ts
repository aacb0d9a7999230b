/**
 * Tensors that are the same in another arrangement: matrices that lie the other way round (transformers' Conv1D in
 * GPT-2: pytorch_utils.py), and query, key and value in one matrix or in three. In one matrix they lie one behind the
 * other (timm: models/vision_transformer.py, `qkv`; torch.nn.MultiheadAttention: `in_proj_weight`; GPT-2: `c_attn`;
 * Phi-3: `qkv_proj`, `gate_up_proj`); so do key and value beside a query of its own (timm: models/pvt_v2.py, `kv`). GPT-NeoX, BLOOM and Falcon put them together head by head under the name
 * `query_key_value` (transformers: models/gpt_neox, models/bloom, models/falcon): there the number of heads is wanted too,
 * and nothing is proposed where it is not known.
 */
import { groupBy } from '../../grouped.js'
import type { TensorInfo } from '../read/tensor.js'
import { dropPrefixes } from './prefixes.js'

export interface RearrangementHint {
  readonly flag: '--transpose' | '--split' | '--fuse' | '--heads'
  readonly value: string
  /** Of the target, that it would fill. */
  readonly tensors: number
}

interface Group {
  readonly one: readonly string[]
  readonly several: readonly (readonly string[])[]
  /** True where each head's rows of all of them lie together. */
  readonly isByHeads?: boolean
}

const partsOfAttention: Group['several'] = [
  ['q_proj', 'k_proj', 'v_proj'],
  ['query', 'key', 'value'],
  ['q', 'k', 'v'],
  ['to_q', 'to_k', 'to_v'],
  ['wq', 'wk', 'wv'],
  ['q_lin', 'k_lin', 'v_lin'],
  ['attn_q', 'attn_k', 'attn_v'],
]

/** Names of one matrix, and of those that lie in it, in their order. */
const groups: readonly Group[] = [
  {
    one: ['qkv', 'qkv_proj', 'c_attn', 'Wqkv', 'W_pack', 'in_proj', 'attn_qkv', 'to_qkv', 'wqkv'],
    several: [...partsOfAttention],
  },
  {
    one: ['query_key_value'],
    several: [...partsOfAttention],
    isByHeads: true,
  },
  {
    one: ['kv', 'kv_proj', 'to_kv', 'key_value', 'wkv'],
    several: partsOfAttention.map(([, ...keyAndValue]) => keyAndValue),
  },
  {
    one: ['gate_up_proj', 'gate_and_up_proj', 'w13'],
    several: [
      ['gate_proj', 'up_proj'],
      ['w1', 'w3'],
    ],
  },
]

/** Modules of GPT-2 whose matrices all lie the other way round, square ones too. */
const turnedModules = ['c_attn', 'c_fc', 'c_proj', 'q_attn']

export interface Unmatched {
  readonly source: readonly TensorInfo[]
  readonly target: readonly TensorInfo[]
  /** Of one name, and of two shapes. */
  readonly mismatched: readonly { readonly source: TensorInfo; readonly target: TensorInfo }[]
  /** Names of the source of which some other tensor lies the other way round: its like may be square. */
  readonly matched: readonly TensorInfo[]
  /** Of the model, where they are known. */
  readonly heads?: number | undefined
}

/** Flags that would bring them together, those that are turned round first, each value once. */
export function rearrangementHints({ source, target, mismatched, matched, heads }: Unmatched): RearrangementHint[] {
  const counts = new Map<string, RearrangementHint>()
  const add = (flag: RearrangementHint['flag'], value: string, tensors: number): void => {
    const key = `${flag} ${value}`
    counts.set(key, { flag, value, tensors: (counts.get(key)?.tensors ?? 0) + tensors })
  }
  for (const pair of mismatched) {
    if (isTurned(pair.source, pair.target)) add('--transpose', patternOf(pair.source.name), 1)
  }
  for (const regrouped of regroupings(source, target)) {
    if (regrouped.isByHeads && heads === undefined) continue
    if (regrouped.isByHeads && heads !== undefined && heads > 1) add('--heads', String(heads), 0)
    if (regrouped.turned !== null) add('--transpose', patternOf(regrouped.turned), 0)
    add(regrouped.flag, regrouped.value, regrouped.tensors)
  }
  const turned = [...counts.values()].filter(({ flag }) => flag === '--transpose')
  if (turned.some(({ value }) => turnedModules.some((word) => value === `**.${word}.weight`))) {
    // A square one matches as it stands, and would be wrong.
    for (const { name, shape } of matched) {
      const word = turnedModules.find((one) => name.endsWith(`.${one}.weight`))
      if (word !== undefined && shape.length === 2 && shape[0] === shape[1]) add('--transpose', `**.${word}.weight`, 1)
    }
  }
  const all = [...counts.values()]
  const order = ['--transpose', '--split', '--fuse', '--heads']
  return all.sort((a, b) => order.indexOf(a.flag) - order.indexOf(b.flag) || b.tensors - a.tensors)
}

function isTurned(one: TensorInfo, other: TensorInfo): boolean {
  const [rows, columns] = one.shape
  return (
    one.shape.length === 2 &&
    other.shape.length === 2 &&
    rows !== columns &&
    rows === other.shape[1] &&
    columns === other.shape[0]
  )
}

/** Of all layers alike: the name of the module and of its parameter. */
function patternOf(name: string): string {
  const parts = name.split('.')
  return parts.length > 2 ? `**.${parts.slice(-2).join('.')}` : name
}

interface Regrouped {
  readonly flag: '--split' | '--fuse'
  readonly value: string
  readonly tensors: number
  /** The name of what has to be turned round as well. */
  readonly turned: string | null
  readonly isByHeads: boolean
}

function* regroupings(source: readonly TensorInfo[], target: readonly TensorInfo[]): Generator<Regrouped> {
  const [sources, targets] = [source.flatMap(moduleOf), target.flatMap(moduleOf)]
  for (const found of between(sources, targets)) {
    const { value, parts, isByHeads } = found
    yield { flag: '--split', value, tensors: parts, turned: found.isTurned ? found.one : null, isByHeads }
  }
  for (const found of between(targets, sources)) {
    const [one = '', several = ''] = found.value.split('=')
    const turned = found.isTurned ? found.one : null
    yield { flag: '--fuse', value: `${several}=${one}`, tensors: 1, turned, isByHeads: found.isByHeads }
  }
}

interface Module {
  readonly tensor: TensorInfo
  /** What stands before the module's own name. */
  readonly before: string
  readonly word: string
  /** `.weight`, or `_weight` as MultiheadAttention has it. */
  readonly leaf: string
}

/** None for a tensor that is not a weight or bias of a module with a name of its own. */
function moduleOf(tensor: TensorInfo): Module[] {
  const [, leaf] = /^.*?[A-Za-z]\w*?([._](?:weight|bias))$/.exec(tensor.name) ?? []
  if (leaf === undefined) return []
  const stem = tensor.name.slice(0, -leaf.length)
  const dot = stem.lastIndexOf('.')
  return [{ tensor, before: stem.slice(0, dot + 1), word: stem.slice(dot + 1), leaf }]
}

interface Match {
  /** `ONE=A,B,C`, with `*` for the number of the layer. */
  readonly value: string
  readonly one: string
  readonly parts: number
  readonly isTurned: boolean
  readonly isByHeads: boolean
}

/** A matrix of `ones` whose rows, or columns where it lies the other way round, are those of several of `others`. */
function* between(ones: readonly Module[], others: readonly Module[]): Generator<Match> {
  const places = groupBy(others, placeOf)
  for (const group of groups) {
    const known = ones.filter(({ word }) => group.one.includes(word))
    for (const [place, alike] of groupBy(known, placeOf)) {
      let left = alike
      for (const words of group.several) {
        const pairs = pairUp(left, setsOf(places.get(place) ?? [], words))
        left = left.filter((one) => !pairs.has(one))
        for (const [one, parts] of pairs) yield matchOf(one, parts, group)
      }
    }
  }
}

/** Layers are counted alike, whatever they are called: encoder and decoder, and the attentions of one layer, share it. */
function placeOf(module: Module): string {
  return `${layerOf(module.before)} ${leafOf(module)}`
}

/** Modules of all these words below one name. */
function setsOf(modules: readonly Module[], words: readonly string[]): Module[][] {
  const sets = [...groupBy(modules, ({ before }) => before).values()].map((below) =>
    words.flatMap((word) => below.find((one) => one.word === word) ?? []),
  )
  return sets.filter((parts) => parts.length === words.length)
}

/**
 * Which of several is which: a pair whose names have more in common than either has with any other. What is left over
 * on both sides is a pair too; where that is not clear nothing is said, as it would fill one layer with another's.
 */
function pairUp(ones: readonly Module[], sets: readonly Module[][]): Map<Module, Module[]> {
  const pairs = new Map<Module, Module[]>()
  let [leftOnes, leftSets] = [ones, sets]
  for (let isNew = true; isNew;) {
    isNew = false
    for (const one of leftOnes) {
      const best = onlyBest(leftSets, (parts) => likeness(one, parts))
      if (best === undefined || onlyBest(leftOnes, (other) => likeness(other, best)) !== one) continue
      pairs.set(one, best)
      isNew = true
      leftOnes = leftOnes.filter((other) => other !== one)
      leftSets = leftSets.filter((other) => other !== best)
    }
  }
  return pairs
}

/** The one that is more alike than all others; undefined where there is none, or several. */
function onlyBest<T>(list: readonly T[], likenessOf: (one: T) => number | null): T | undefined {
  let [best, most, isOnly]: [T | undefined, number, boolean] = [undefined, -1, false]
  for (const one of list) {
    const likeness = likenessOf(one)
    if (likeness === null || likeness < most) continue
    isOnly = likeness > most
    best = one
    most = likeness
  }
  return isOnly ? best : undefined
}

/** How many words of their names are the same; null where the matrices do not fit. */
function likeness(one: Module, parts: readonly Module[]): number | null {
  if (fitOf(one, parts) === null) return null
  const words = new Set(parts[0]?.before.split('.'))
  return one.before.split('.').filter((word) => word !== '' && words.has(word)).length
}

function fitOf(one: Module, parts: readonly Module[]): 'as it is' | 'turned' | null {
  return fit(one.tensor, parts.map(({ tensor }) => tensor)) // prettier-ignore
}

function matchOf(one: Module, parts: readonly Module[], { isByHeads = false }: Group): Match {
  const [first = '', ...rest] = starred([one.tensor.name, ...parts.map(({ tensor }) => tensor.name)])
  return {
    value: `${first}=${rest.join(',')}`,
    one: one.tensor.name,
    parts: parts.length,
    isTurned: fitOf(one, parts) === 'turned',
    isByHeads,
  }
}

function leafOf({ leaf }: Module): string {
  return leaf.slice(1)
}

/** The numbers in what stands before a module. */
function layerOf(before: string): string {
  return (dropPrefixes(before).match(/(?<=^|\.)\d+(?=\.)/g) ?? []).join(' ')
}

function fit(one: TensorInfo, parts: readonly TensorInfo[]): 'as it is' | 'turned' | null {
  const [first] = parts
  if (one.shape.length !== first?.shape.length) return null
  const rows = parts.reduce((sum, { shape }) => sum + Number(shape[0]), 0)
  const rest = (shape: TensorInfo['shape']): string => shape.slice(1).join(',')
  if (parts.some(({ shape }) => rest(shape) !== rest(first.shape))) return null
  if (Number(one.shape[0]) === rows && rest(one.shape) === rest(first.shape)) return 'as it is'
  const isTurned = one.shape.length === 2 && Number(one.shape[1]) === rows && one.shape[0] === first.shape[1]
  return isTurned ? 'turned' : null
}

/** The names with `*` for the number that they share; as they are where they share none. */
function starred(names: readonly string[]): readonly string[] {
  const numbers = names.map((name) => /(?<=\.)\d+(?=\.)/.exec(name)?.[0])
  const [first] = numbers
  if (first === undefined || numbers.some((number) => number !== first)) return names
  return names.map((name) => name.replace(/(?<=\.)\d+(?=\.)/, '*'))
}
