/**
 * What DeepSpeed's ZeRO saves: of each process the piece of the flat float32 weights that it trained, and the shapes
 * that say which parameter lies where in them. They are put together as DeepSpeed's own script does it
 * (deepspeed/utils/zero_to_fp32.py). Pure: nodes in, places out.
 */
import { FormatError } from '../../errors.js'
import { countOf, itemsOf, textOf, type PickleInstance, type PickleNode } from '../pickle/index.js'
import { dictPairs } from './parts.js'
import { countsOf, tensorOf, type TorchTensor } from './tensor.js'

/** Of a `*_optim_states.pt`. */
export interface ZeroOptimizer {
  /** 1 and 2 cut the flat weights of a group anywhere, 3 cuts each parameter into as many pieces as there are processes. */
  readonly stage: number
  /** Processes among which the weights were shared. */
  readonly partitions: number
  /** The flat pieces of this process, one a group of parameters. */
  readonly groups: readonly FlatPiece[]
  /** By group, elements that follow each parameter and are none; undefined where there are none. */
  readonly paddings: readonly (readonly number[])[] | undefined
}

export interface FlatPiece {
  readonly node: PickleNode
  /** Elements. */
  readonly length: number
}

/** Of a `*_model_states.pt`. */
export interface ZeroModel {
  /** What is not a parameter, and lies whole in this file. */
  readonly buffers: ReadonlyMap<string, ShapedNode>
  /** Shapes of the trained parameters, by group. */
  readonly shapes: readonly ReadonlyMap<string, readonly number[]>[]
  /** Parameters that were not trained: their shapes, and what this file has of each. */
  readonly frozen: ReadonlyMap<string, FrozenPiece>
  /** From each further name of a parameter to its first. */
  readonly ties: ReadonlyMap<string, string>
  /** All names in the saved module. */
  readonly module: readonly string[]
  /** Set where the float32 weights can be put together by nothing that the format says. */
  readonly obstacle: string | undefined
}

export interface ShapedNode {
  readonly node: PickleNode
  readonly shape: readonly number[]
}

export interface FrozenPiece {
  readonly shape: readonly number[]
  readonly piece: FlatPiece
}

/** Throws FormatError for the state of another optimizer. */
export function readZeroOptimizer(root: PickleNode): ZeroOptimizer {
  const state = valueOf(root, 'optimizer_state_dict')
  const stage = numberIn(valueOf(state, 'zero_stage'))
  const count = valueOf(state, 'partition_count')
  const counts = (itemsOf(count) ?? [count]).flatMap((one) => countOf(one) ?? [])
  if (stage === undefined || counts.length === 0) throw new FormatError('tells of no stage of ZeRO and no partitions')
  if (stage < 1 || stage > 3) throw new FormatError(`tells of stage ${stage} of ZeRO, and there are 1, 2 and 3`)
  const key = stage === 3 ? 'fp32_flat_groups' : 'single_partition_of_fp32_groups'
  const groups = itemsOf(valueOf(state, key))
  if (groups === undefined) throw new FormatError(`has no list ${key} of float32 weights`)
  const paddings = itemsOf(valueOf(state, 'param_alignment_paddings'))?.map((group) => {
    const counted = itemsOf(group)?.map((padding) => countOf(padding))
    if (counted?.every((padding) => padding !== undefined) === true) return counted
    throw new FormatError('lists paddings that are not counts')
  })
  return {
    stage,
    partitions: Math.max(...counts),
    groups: groups.map((node, index) => pieceOf(node, `group ${index} of ${key}`)),
    paddings,
  }
}

/** Throws FormatError for a file that says nothing of the parameters of ZeRO. */
export function readZeroModel(root: PickleNode): ZeroModel {
  const names = itemsOf(valueOf(root, 'buffer_names'))
  const groups = itemsOf(valueOf(root, 'param_shapes'))
  if (names === undefined || groups === undefined) {
    throw new FormatError('has no buffer_names and param_shapes, as the state of a model under ZeRO has')
  }
  const buffers = new Set(names.map((name) => textOf(name)))
  const module = textPairs(valueOf(root, 'module'))
  const pieces = new Map(textPairs(valueOf(root, 'frozen_param_fragments')))
  const frozen = [...shapesIn(valueOf(root, 'frozen_param_shapes'))].map(([name, shape]): [string, FrozenPiece] => [
    name,
    { shape, piece: pieceOf(pieces.get(name) ?? null, `the frozen parameter ${quote(name)}`) },
  ])
  const ties = textPairs(valueOf(root, 'shared_params')).flatMap(([name, other]): [string, string][] => {
    const first = textOf(other)
    return first === undefined ? [] : [[name, first]]
  })
  return {
    buffers: new Map(
      module
        .filter(([name]) => buffers.has(name))
        .map(([name, node]) => [name, shapedOf(node, `the buffer ${quote(name)}`)]),
    ),
    shapes: groups.map((group) => shapesIn(group)),
    frozen: new Map(frozen),
    ties: new Map(ties),
    module: module.map(([name]) => name),
    obstacle: obstacleIn(root),
  }
}

/** What the file of one process's model says of weights that lie in other files. */
export interface ZeroCopy {
  /** Names, as the file's tensors have them, of parameters that are cut, and of which this file has nothing. */
  readonly cut: readonly string[]
  /** Trained parameters that are here in another precision than they are trained in. */
  readonly rounded: number
}

/** Null for a file of another kind. */
export function readZeroCopy(root: PickleNode): ZeroCopy | null {
  const groups = itemsOf(valueOf(root, 'param_shapes'))
  if (groups === undefined || itemsOf(valueOf(root, 'buffer_names')) === undefined) return null
  if ((valueOf(root, 'optimizer') ?? null) !== null) return null
  const trained = new Set(groups.flatMap((group) => textPairs(group).map(([name]) => name)))
  const frozen = textPairs(valueOf(root, 'frozen_param_shapes')).map(([name]) => name)
  const all = new Set([...trained, ...frozen])
  const cut: string[] = []
  let rounded = 0
  for (const [name, node] of textPairs(valueOf(root, 'module'))) {
    const tensor = all.has(name) ? tensorOf(node) : undefined
    if (tensor === undefined || !('storage' in tensor)) continue
    if (tensor.shape.length === 1 && tensor.shape[0] === 0) cut.push(`module.${name}`)
    else if (trained.has(name) && tensor.dtype !== 'float32') rounded += 1
  }
  return { cut, rounded }
}

/** What zero_to_fp32.py refuses too. */
function obstacleIn(root: PickleNode): string | undefined {
  const parts = countOf(valueOf(root, 'mp_world_size')) ?? 1
  if (parts > 1) return `the model itself was cut into ${parts} parts, and nothing in the files says along which axes`
  const layers = itemsOf(valueOf(root, 'ds_autoep_layers') ?? valueOf(root, 'autoep_layers')) ?? []
  const isCut = layers.some((layer) => textOf(valueOf(layer, 'checkpoint_format')) === 'zero3_partitioned')
  return isCut ? 'its experts were cut among other processes than the rest' : undefined
}

/** A piece of what one file holds flat: `count` elements from `offset` on. */
export interface ZeroSlice {
  /** Which of the files: the place in the order of their ranks. */
  readonly rank: number
  readonly from: 'model' | 'optimizer'
  readonly node: PickleNode
  readonly offset: number
  readonly count: number
}

export interface ZeroTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** One behind the other they are its elements. */
  readonly slices: () => readonly ZeroSlice[]
  /** The name of the parameter that this one is too. */
  readonly tiedTo?: string
}

/**
 * Every parameter and buffer, in the order of the script: buffers, frozen parameters, trained ones, further names.
 * Files are in the order of their ranks. Throws FormatError where the pieces are not what the shapes need.
 */
export function planZero(models: readonly ZeroModel[], optimizers: readonly ZeroOptimizer[]): ZeroTensor[] {
  const [model] = models
  const [optimizer] = optimizers
  if (model === undefined || optimizer === undefined) throw new FormatError('there is no state of a process')
  const tensors = new Map(wholeBuffers(model).map((tensor) => [tensor.name, tensor]))
  const frozen = optimizer.stage === 3 ? gatherFrozen(models) : [...model.frozen].map(wholeFrozen)
  const trained = optimizer.stage === 3 ? gatherCut(model, optimizers) : gatherFlat(model, optimizers)
  for (const tensor of [...frozen, ...trained]) tensors.set(tensor.name, tensor)
  for (const [name, tiedTo] of model.ties) {
    const first = tensors.get(tiedTo)
    if (first !== undefined && name !== tiedTo) tensors.set(name, { ...first, name, tiedTo: first.tiedTo ?? tiedTo })
  }
  return [...tensors.values()]
}

/**
 * Buffers and parameters that were not trained, where `isWanted`: each lies whole in the first file, or in pieces in all.
 * Throws FormatError for the latter where the model itself was cut: nothing says whether they are pieces of it.
 */
export function planFrozen(models: readonly ZeroModel[], isWanted: (name: string) => boolean): ZeroTensor[] {
  const [model] = models
  if (model === undefined) throw new FormatError('there is no state of a model')
  const wanted = [...model.frozen].filter(([name]) => isWanted(name))
  const [first] = wanted
  if (first !== undefined && model.obstacle !== undefined) {
    throw new FormatError(`${quote(first[0])} was not trained, and ${model.obstacle}`, { code: 'refused' })
  }
  const areCut = wanted.some(([, { shape, piece }]) => piece.length !== elementsOf(shape))
  const frozen = areCut ? gatherFrozen(models) : wanted.map(wholeFrozen)
  return [...wholeBuffers(model), ...frozen.filter(({ name }) => isWanted(name))]
}

function wholeBuffers({ buffers }: ZeroModel): ZeroTensor[] {
  return [...buffers].map(([name, { node, shape }]) => {
    const count = elementsOf(shape)
    return { name, shape, slices: () => [{ rank: 0, from: 'model', node, offset: 0, count }] }
  })
}

function wholeFrozen([name, { shape, piece }]: [string, FrozenPiece]): ZeroTensor {
  const count = elementsOf(shape)
  requireCount(`the frozen parameter ${quote(name)}`, shape, piece.length)
  return { name, shape, slices: () => [{ rank: 0, from: 'model', node: piece.node, offset: 0, count }] }
}

/** Each process has a piece of each, the last with what makes them equally long. */
function gatherFrozen(models: readonly ZeroModel[]): ZeroTensor[] {
  return [...(models[0]?.frozen ?? [])].map(([name, { shape }]) => {
    const pieces = models.map(({ frozen }, rank) => {
      const piece = frozen.get(name)?.piece
      if (piece === undefined) throw new FormatError(`process ${rank} has no piece of ${quote(name)}`)
      return piece
    })
    const whole = elementsOf(shape)
    const there = pieces.reduce((sum, { length }) => sum + length, 0)
    if (there < whole) throw tooFew(name, shape, there)
    const slices = () => {
      let left = whole
      return pieces.map(({ node, length }, rank): ZeroSlice => {
        const count = Math.min(left, length)
        left -= count
        return { rank, from: 'model', node, offset: 0, count }
      })
    }
    return { name, shape, slices }
  })
}

/** Stages 1 and 2: of each group the pieces of all processes one behind the other, the parameters in them likewise. */
function gatherFlat(model: ZeroModel, optimizers: readonly ZeroOptimizer[]): ZeroTensor[] {
  const groups = optimizers[0]?.groups.length ?? 0
  requireGroups(optimizers, groups)
  if (model.shapes.length !== groups) {
    throw new FormatError(`there are ${groups} groups of weights, and the shapes of ${model.shapes.length}`)
  }
  return model.shapes.flatMap((shapes, group) => {
    const paddings = optimizers[0]?.paddings?.[group]
    if (paddings !== undefined && paddings.length !== shapes.size) {
      throw new FormatError(`group ${group} has ${shapes.size} parameters and ${paddings.length} paddings`)
    }
    const pieces = optimizers.map((one) => one.groups[group] ?? { node: null, length: 0 })
    const ends = runningSums(pieces.map(({ length }) => length))
    let offset = 0
    const tensors = [...shapes].map(([name, shape], index): ZeroTensor => {
      const start = offset
      const count = elementsOf(shape)
      offset += count + (paddings?.[index] ?? 0)
      if (start + count > (ends.at(-1) ?? 0)) throw tooFew(name, shape, Math.max(0, (ends.at(-1) ?? 0) - start))
      return { name, shape, slices: () => slicesWithin(pieces, ends, start, count) }
    })
    requireAligned(group, offset, ends.at(-1) ?? 0, optimizers.length)
    return tensors
  })
}

/** The flat weights are filled up to a multiple of twice the number of processes, and hold nothing else. */
function requireAligned(group: number, used: number, there: number, processes: number): void {
  const step = 2 * processes
  if (Math.ceil(used / step) === Math.ceil(there / step)) return
  throw new FormatError(`the parameters of group ${group} need ${used} elements, and ${there} are there`)
}

function slicesWithin(
  pieces: readonly FlatPiece[],
  ends: readonly number[],
  start: number,
  count: number,
): ZeroSlice[] {
  const slices: ZeroSlice[] = []
  for (let rank = 0; rank < pieces.length; rank += 1) {
    const end = ends[rank] ?? 0
    const begin = end - (pieces[rank]?.length ?? 0)
    const [from, until] = [Math.max(start, begin), Math.min(start + count, end)]
    if (from >= until) continue
    slices.push({
      rank,
      from: 'optimizer',
      node: pieces[rank]?.node ?? null,
      offset: from - begin,
      count: until - from,
    })
  }
  return slices
}

/** Stage 3: each parameter is cut into equal pieces, one a process; a process has its pieces one behind the other. */
function gatherCut({ shapes }: ZeroModel, optimizers: readonly ZeroOptimizer[]): ZeroTensor[] {
  const processes = optimizers.length
  const [first] = optimizers
  requireGroups(optimizers, first?.groups.length ?? 0)
  const ends = runningSums(first?.groups.map(({ length }) => length) ?? [])
  const there = ends.at(-1) ?? 0
  const differs = optimizers.findIndex(({ groups }) =>
    groups.some(({ length }, at) => length !== first?.groups[at]?.length),
  )
  if (differs >= 0) throw new FormatError(`process ${differs} has pieces of other lengths than the first one`)
  let offset = 0
  const tensors = [...new Map(shapes.flatMap((group) => [...group]))].map(([name, shape]): ZeroTensor => {
    const start = offset
    const whole = elementsOf(shape)
    const each = Math.ceil(whole / processes)
    offset += each
    if (offset > there) throw tooFew(name, shape, (there - start) * processes)
    return { name, shape, slices: () => cutSlices(optimizers, ends, { start, each, whole }) }
  })
  if (offset === there) return tensors
  throw new FormatError(`the parameters need ${offset} elements of each process, and ${there} are there`)
}

interface Cut {
  /** Where in what each process has. */
  readonly start: number
  /** Elements that each process has of it. */
  readonly each: number
  readonly whole: number
}

function cutSlices(
  optimizers: readonly ZeroOptimizer[],
  ends: readonly number[],
  { start, each, whole }: Cut,
): ZeroSlice[] {
  return optimizers.flatMap(({ groups }, rank) => {
    const count = Math.min(each, Math.max(0, whole - rank * each))
    return slicesWithin(groups, ends, start, count).map((slice) => ({ ...slice, rank }))
  })
}

function requireGroups(optimizers: readonly ZeroOptimizer[], groups: number): void {
  const other = optimizers.findIndex((one) => one.groups.length !== groups)
  if (other < 0) return
  throw new FormatError(
    `process ${other} has ${optimizers[other]?.groups.length} groups of weights, and the first ${groups}`,
  )
}

function requireCount(what: string, shape: readonly number[], there: number): void {
  if (there === elementsOf(shape)) return
  throw new FormatError(`${what} has ${there} elements, and its shape is [${shape.join(', ')}]`)
}

function tooFew(name: string, shape: readonly number[], there: number): FormatError {
  return new FormatError(`${quote(name)} of [${shape.join(', ')}] has only ${there} elements in the flat weights`)
}

function runningSums(lengths: readonly number[]): number[] {
  let sum = 0
  return lengths.map((length) => (sum += length))
}

function pieceOf(node: PickleNode, what: string): FlatPiece {
  return { node, length: elementsOf(shapedOf(node, what).shape) }
}

function shapedOf(node: PickleNode, what: string): ShapedNode {
  const tensor = tensorOf(node)
  if (tensor === undefined || !('storage' in tensor)) throw new FormatError(`${what} is not a tensor with values`)
  return { node, shape: (tensor satisfies TorchTensor).shape }
}

/** By name, in order. */
function shapesIn(node: PickleNode | undefined): Map<string, readonly number[]> {
  return new Map(
    textPairs(node).map(([name, size]): [string, readonly number[]] => {
      const shape = countsOf(size)
      if (shape !== undefined && Number.isSafeInteger(elementsOf(shape))) return [name, shape]
      throw new FormatError(`the parameter ${quote(name)} has no shape`)
    }),
  )
}

/** A number, or a member of an enumeration: `ZeroStageEnum(3)`. */
function numberIn(node: PickleNode | undefined): number | undefined {
  const isCall = typeof node === 'object' && node !== null && 'callee' in node
  return countOf(isCall ? itemsOf((node satisfies PickleInstance).args)?.[0] : node)
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

function textPairs(node: PickleNode | undefined): [string, PickleNode][] {
  return dictPairs(node ?? null).flatMap(([key, value]): [string, PickleNode][] => {
    const name = textOf(key)
    return name === undefined ? [] : [[name, value]]
  })
}

function valueOf(node: PickleNode | undefined, key: string): PickleNode | undefined {
  return textPairs(node).findLast(([name]) => name === key)?.[1]
}

function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}
