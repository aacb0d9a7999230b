/**
 * Tensors that are the same in another arrangement: matrices that lie the other way round (transformers' Conv1D in
 * GPT-2: pytorch_utils.py), and query, key and value in one matrix or in three. In one matrix they lie one behind the
 * other (timm: models/vision_transformer.py, `qkv`; torch.nn.MultiheadAttention: `in_proj_weight`; GPT-2: `c_attn`;
 * Phi-3: `qkv_proj`, `gate_up_proj`). GPT-NeoX, BLOOM and Falcon put them together head by head under the name
 * `query_key_value` (transformers: models/gpt_neox, models/bloom, models/falcon): there the number of heads is wanted too,
 * and nothing is proposed where it is not known.
 */
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
  const places = new Map(others.map((one) => [`${layerOf(one.before)} ${one.word}${leafOf(one)}`, one]))
  for (const one of ones) {
    const group = groups.find((known) => known.one.includes(one.word))
    for (const words of group?.several ?? []) {
      const parts = words.flatMap((word) => places.get(`${layerOf(one.before)} ${word}${leafOf(one)}`) ?? [])
      if (parts.length < words.length) continue
      const how = fit(one.tensor, parts.map(({ tensor }) => tensor)) // prettier-ignore
      if (how === null) continue
      const names = starred([one.tensor.name, ...parts.map(({ tensor }) => tensor.name)])
      const [first = '', ...rest] = names
      yield {
        value: `${first}=${rest.join(',')}`,
        one: one.tensor.name,
        parts: parts.length,
        isTurned: how === 'turned',
        isByHeads: group?.isByHeads === true,
      }
      break
    }
  }
}

function leafOf({ leaf }: Module): string {
  return leaf.slice(1)
}

/** The numbers in what stands before a module: layers are counted alike, whatever they are called. */
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
