/**
 * Tensors in pickles as torch writes them: a call of a function that rebuilds one from a storage, an offset, a shape
 * and strides (torch/_utils.py, torch/_tensor.py, torch/nn/parameter.py). Pure: nodes in, plain data out.
 */
import { FormatError } from '../../errors.js'
import { elementTypes } from '../bytes/elements.js'
import {
  countOf,
  globalName,
  idOf,
  itemsOf,
  textOf,
  type PickleGlobal,
  type PickleInstance,
  type PickleNode,
  type PicklePersistent,
  type PickleReference,
  type PickleTensor,
} from '../pickle/index.js'
import { storageType, type StorageType } from '../torch-storages/classes.js'

/** What a persistent id says of a storage: ('storage', class, key, location, elements[, view]). */
export interface StorageReference extends StorageType {
  readonly key: string
  /** `cpu`, `cuda:0`. */
  readonly location: string
  /** Elements of the whole storage. */
  readonly count: number
  /** Elements before the part that is meant, in older streams, where a storage can be a part of another. */
  readonly start: number
  /** Elements of the part that is meant. */
  readonly length: number
}

/** A tensor as it lies in a storage. Offset and strides count elements of the tensor's dtype. */
export interface TorchTensor {
  readonly storage: StorageReference
  /** torch's name without `torch.`. */
  readonly dtype: string
  /** Bytes of one element. */
  readonly itemSize: number
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  /** The values are the conjugates of what is stored. */
  readonly conjugate: boolean
  /** The values are what is stored, negated. */
  readonly negative: boolean
}

/** A tensor without bytes of its own: on the device `meta`, or made of others. */
export interface TorchComposite {
  /** `sparse_coo`, `meta`. */
  readonly kind: string
  /** What people see of it: `sparse_coo [4, 4]`. */
  readonly text: string
  /** The tensors that it is made of, by what torch calls them. */
  readonly parts: readonly (readonly [name: string, node: PickleNode])[]
}

/** Bytes of one element of the dtypes that no storage class is named for (torch/_utils.py, `_rebuild_tensor_v3`). */
const sizeOfDtype = new Map<string, number>([
  ...[...elementTypes.values()].map(({ name, size }) => [name, size] as const),
  ['float4_e2m1fn_x2', 1],
  ['bits8', 1],
  ['bits1x8', 1],
  ['bits2x4', 1],
  ['bits4x2', 1],
  ['bits16', 2],
  ['qint8', 1],
  ['quint8', 1],
  ['qint32', 4],
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((bits) => [[`int${bits}`, 1] as const, [`uint${bits}`, 1] as const]),
])

/** More levels of wrapping than any tensor has: a parameter of a subclass has two. */
const mostWrappings = 16

type Found = TorchTensor | TorchComposite | undefined

interface StorageReader {
  of(reference: PickleReference): StorageReference
}

/** The storages that one pickle refers to: each reference is read once, however often it is asked for. */
export class StorageReferences implements StorageReader {
  readonly #read: (StorageReference | undefined)[] = []
  readonly #types = new Map<PickleGlobal, StorageType>()
  readonly #numbers: number[] = []
  readonly #numberOf: (key: string) => number

  /** `numberOf` gives the number that a file has for the storage of a key; -1 for one that is not there. */
  constructor(numberOf: (key: string) => number = () => -1) {
    this.#numberOf = numberOf
  }

  /** Throws as `storageOf` does. */
  of(reference: PickleReference): StorageReference {
    const known = this.#read[reference.index]
    if (known !== undefined) return known
    const storage = storageOf(reference)
    this.#read[reference.index] = storage
    return storage
  }

  /** Throws as `storageOf` does. */
  keyOf(reference: PickleReference): string {
    return reference.kind === 'tensor' ? reference.key : this.of(reference).key
  }

  /** The number of the storage; -1 for one that is not there. Throws as `storageOf` does. */
  numberOf(reference: PickleReference): number {
    let number = this.#numbers[reference.index]
    if (number === undefined) {
      number = this.#numberOf(this.keyOf(reference))
      this.#numbers[reference.index] = number
    }
    return number
  }

  /** Bytes of the whole storage. Throws as `storageOf` does. */
  bytesOf(reference: PickleReference): number {
    if (reference.kind === 'tensor') return reference.count * this.typeOf(reference).itemSize
    const { count, itemSize } = this.of(reference)
    return count * itemSize
  }

  /** The type of a plain tensor, which is that of its storage. Throws as `storageOf` does. */
  typeOf(tensor: PickleTensor): StorageType {
    let type = this.#types.get(tensor.cls)
    if (type === undefined) {
      type = storageOf(tensor)
      this.#types.set(tensor.cls, type)
    }
    return type
  }

  /** Throws FormatError for a plain tensor that reaches outside of its storage, and as `storageOf` does. */
  requireInside(tensor: PickleTensor): void {
    requireInside(tensor, this.typeOf(tensor), tensor.key, this.bytesOf(tensor))
  }
}

/**
 * The tensor that a node is, or undefined when it is none. Throws FormatError for a tensor that is not described as
 * torch does it, or that reaches outside of its storage.
 */
export function tensorOf(node: PickleNode, storages: StorageReader = { of: storageOf }, wrappings = 0): Found {
  let at: PickleNode | undefined = node
  for (let level = wrappings; level < mostWrappings; level += 1) {
    if (typeof at !== 'object' || at === null) return undefined
    if (at.kind === 'tensor') return plainTensor(at, storages)
    if (!('callee' in at)) return undefined
    const args = argumentsOf(at)
    const name = rebuilder(at)
    switch (name) {
      case undefined:
        return packedObject(at)
      case '_rebuild_tensor':
      case '_rebuild_tensor_v2':
      case '_rebuild_tensor_v3':
      case '_rebuild_qtensor':
        return rebuild(name, args, storages)
      case '_rebuild_from_type_v2':
        if (globalName(args[0]) === 'torch._utils._rebuild_wrapper_subclass')
          return wrapperTensor(args, storages, level)
        at = { ...at, kind: 'call', callee: args[0] ?? null, args: args[2] ?? null, states: [] }
        if (rebuilder(at) === undefined) return foreignTensor(args)
        break
      case 'ShardedTensor':
        return shardedTensor(at.states[0], storages, level)
      case '_rebuild_meta_tensor_no_storage':
        return metaTensor(args)
      case '_rebuild_sparse_tensor':
      case '_rebuild_sparse_csr_tensor':
        return sparseTensor(args)
      case '_rebuild_nested_tensor':
        return composite('nested', '', ['buffer', 'sizes', 'strides', 'offsets'], args)
      case 'state':
        return rebuild('_rebuild_tensor', itemsOf(at.states[0]) ?? [], storages)
      case '_rebuild_parameter_with_state':
        if (isOfQuantised(args[3])) return packedParameter(args, storages, level)
        at = args[0]
        break
      default:
        // A parameter around a tensor, a copy from another device.
        at = args[0]
        if (at === undefined) throw new FormatError(`torch: ${name} of nothing`)
    }
  }
  throw new FormatError(`torch: a tensor wrapped more than ${mostWrappings} times`)
}

/** Of a parameter around a tensor, and the like, the tensor; of a subclass the node itself. */
export function innermost(node: PickleNode): PickleNode {
  let at = node
  for (let level = 0; level < mostWrappings; level += 1) {
    if (typeof at !== 'object' || at === null || !('callee' in at)) return at
    const name = rebuilder(at)
    if (name === undefined || !(wrappers.has(name) || name === 'Parameter')) return at
    at = argumentsOf(at)[0] ?? null
  }
  return at
}

/** Modules that torch's functions have been in. */
const modules = new Set(['torch._utils', 'torch._tensor', 'torch.tensor'])
/** Functions that are given the tensor; an array that numpy wrote is shown among the values. */
const wrappers = new Set([
  '_rebuild_parameter',
  '_rebuild_parameter_with_state',
  '_rebuild_device_tensor_from_cpu_tensor',
  '_rebuild_xla_tensor',
])
const rebuilders = new Set([
  '_rebuild_tensor',
  '_rebuild_tensor_v2',
  '_rebuild_tensor_v3',
  '_rebuild_qtensor',
  '_rebuild_from_type_v2',
  '_rebuild_meta_tensor_no_storage',
  '_rebuild_sparse_tensor',
  // Until torch 1.13, for one layout.
  '_rebuild_sparse_csr_tensor',
  '_rebuild_nested_tensor',
])

function isRebuilder(name: string): boolean {
  return wrappers.has(name) || rebuilders.has(name)
}

const shardedClass = /^torch\.distributed\._shard\.sharded_tensor\.(?:api\.)?ShardedTensor$/

/** Which of torch's ways to a tensor this is; `state` is what torch wrote before 0.4. */
function rebuilder(node: PickleInstance): string | undefined {
  const { callee } = node
  if (typeof callee !== 'object' || callee?.kind !== 'global' || !callee.module.startsWith('torch')) return undefined
  if (modules.has(callee.module) && isRebuilder(callee.name)) return callee.name
  const name = `${callee.module}.${callee.name}`
  const last = name.lastIndexOf('.')
  const short = name.slice(last + 1)
  if (modules.has(name.slice(0, last))) return isRebuilder(short) ? short : undefined
  if (/^torch\.nn\.parameter\.(?:Parameter|Buffer)$/.test(name)) {
    return argumentsOf(node).length > 0 ? 'Parameter' : stateOf(node)
  }
  if (shardedClass.test(name)) return 'ShardedTensor'
  return /^torch\.(?:cuda\.)?\w*Tensor$/.test(name) ? stateOf(node) : undefined
}

function stateOf(node: PickleInstance): string | undefined {
  const state = itemsOf(node.states[0])
  return state?.length === 4 && isPersistent(state[0]) ? 'state' : undefined
}

function argumentsOf({ args }: PickleInstance): readonly PickleNode[] {
  return itemsOf(args) ?? []
}

function isPersistent(node: PickleNode | undefined): node is PicklePersistent {
  return typeof node === 'object' && node?.kind === 'persistent'
}

/** Args are (storage, offset, shape, strides[, requires_grad, hooks[, metadata]]), with v3's dtype before the last. */
function rebuild(how: string, args: readonly PickleNode[], storages: StorageReader): TorchTensor {
  const [storageNode, offsetNode, shapeNode, strideNode] = args
  if (!isPersistent(storageNode)) throw new FormatError('torch: a tensor upon no storage')
  const storage = storages.of(storageNode)
  const offset = countOf(offsetNode)
  const shape = countsOf(shapeNode)
  const strides = countsOf(strideNode)
  if (offset === undefined || shape === undefined || strides?.length !== shape.length) {
    throw new FormatError(
      `torch: a tensor upon storage ${quote(storage.key)} is described by no offset, shape and strides that fit`,
    )
  }
  const type = how === '_rebuild_tensor_v3' ? typeOf(args[6]) : storage
  const bits = metadataOf(args[how === '_rebuild_tensor_v3' ? 7 : 6], how)
  const { dtype, itemSize } = type
  const { conjugate, negative } = bits
  const view = { offset, shape, strides }
  requireInside(view, type, storage.key, storage.length * storage.itemSize)
  return { storage, dtype, itemSize, ...view, conjugate, negative }
}

/** A tensor with all that is known of it. */
export function inFull(tensor: TorchTensor | PickleTensor): TorchTensor {
  return 'storage' in tensor ? tensor : plainTensor(tensor, { of: storageOf })
}

function plainTensor(tensor: PickleTensor, storages: StorageReader): TorchTensor {
  const storage = storages.of(tensor)
  const { key, dtype, itemSize, length } = storage
  const { offset, shape, strides } = tensor
  requireInside(tensor, storage, key, length * itemSize)
  return { storage, dtype, itemSize, offset, shape, strides, conjugate: false, negative: false }
}

/** torch's own operations end at 64 (aten/src/ATen/WrapDimUtilsMulti.h), though it can load more. */
export const mostDimensions = 1024

/**
 * Every number of a list, a count that a double holds; undefined where there is another. Throws FormatError for more of
 * them than a tensor has dimensions.
 */
export function countsOf(node: PickleNode | undefined): number[] | undefined {
  const items = itemsOf(sizeItems(node))
  if (items === undefined) return undefined
  if (items.length > mostDimensions) {
    throw new FormatError(`torch: a tensor of ${items.length} dimensions; at most ${mostDimensions} are read`)
  }
  const counts: number[] = []
  for (const item of items) {
    const count = countOf(item)
    if (count === undefined) return undefined
    counts.push(count)
  }
  return counts
}

/** A shape is a tuple, or torch.Size of one. */
function sizeItems(node: PickleNode | undefined): PickleNode | undefined {
  if (typeof node !== 'object' || node?.kind !== 'call' || globalName(node.callee) !== 'torch.Size') return node
  return argumentsOf(node)[0]
}

/** Of `torch.float32` and the like. Throws FormatError for a dtype that is not known. */
export function typeOf(node: PickleNode | undefined): StorageType {
  const dtype = globalName(node)?.replace(/^torch\./, '')
  const itemSize = dtype === undefined ? undefined : sizeOfDtype.get(dtype)
  if (dtype !== undefined && itemSize !== undefined) return { dtype, itemSize }
  throw new FormatError(`torch: a tensor of a dtype that is not known: ${quote(dtype ?? 'none')}`)
}

/** `conj` and `neg` are bits that torch resolves when values are needed (torch/_tensor.py, `_reduce_ex_internal`). */
function metadataOf(
  node: PickleNode | undefined,
  how: string,
): { readonly conjugate: boolean; readonly negative: boolean } {
  const bits = { conjugate: false, negative: false }
  if (how === '_rebuild_qtensor' || typeof node !== 'object' || node?.kind !== 'dict') return bits
  for (const [key, value] of node.entries) {
    if (key === 'conj') bits.conjugate = value === true
    if (key === 'neg') bits.negative = value === true
  }
  return bits
}

/** Where elements lie in a storage, counted in elements. */
type View = Pick<TorchTensor, 'offset' | 'shape' | 'strides'>

/** All elements lie in the storage of `bytes`, and there are no more of them than a double counts in bytes. */
function requireInside(view: View, { dtype, itemSize }: StorageType, key: string, bytes: number): void {
  const { offset, shape, strides } = view
  let elements = 1
  let last = offset
  for (let axis = 0; axis < shape.length; axis += 1) {
    const length = shape[axis] ?? 0
    elements *= length
    last += (length - 1) * (strides[axis] ?? 0)
  }
  if (elements === 0) return
  if (Number.isSafeInteger(elements * itemSize) && Number.isSafeInteger(last) && (last + 1) * itemSize <= bytes) return
  throw new FormatError(
    `torch: a tensor ${dtype} [${listed(shape)}] with strides [${listed(strides)}] from element ${offset} on reaches ` +
      `outside of storage ${quote(key)} with its ${bytes} bytes`,
  )
}

function listed(numbers: readonly number[]): string {
  return numbers.length <= 12 ? numbers.join(', ') : `${numbers.slice(0, 12).join(', ')}, …`
}

/**
 * What a persistent id refers to. Throws FormatError for one that is not a storage, or of a class that torch does not
 * know.
 */
function storageOf(reference: PickleReference): StorageReference {
  const id = idOf(reference)
  const [what, cls, keyNode, location, countNode, viewNode] = itemsOf(id) ?? []
  if (textOf(what) !== 'storage') {
    throw new FormatError(
      `torch: refers to something outside that is not a storage: ${quote(textOf(what ?? id) ?? '?')}`,
    )
  }
  const type = storageType(cls)
  const key = textOf(keyNode)
  const count = countOf(countNode)
  if (type === undefined || key === undefined || count === undefined || !Number.isSafeInteger(count * type.itemSize)) {
    throw new FormatError(
      `torch: storage ${quote(key ?? '?')} is described by no known class, key and count of elements ` +
        `(class ${quote(globalName(cls) ?? '?')})`,
    )
  }
  const { start, length } = partOf(viewNode, key, count)
  const { dtype, itemSize } = type
  return { dtype, itemSize, key, location: textOf(location) ?? '', count, start, length }
}

/** A part is (key, offset, elements). */
function partOf(node: PickleNode | undefined, key: string, count: number): { start: number; length: number } {
  if (node === undefined || node === null) return { start: 0, length: count }
  const [, startNode, lengthNode] = itemsOf(node) ?? []
  const start = countOf(startNode)
  const length = countOf(lengthNode)
  if (start !== undefined && length !== undefined && start + length <= count) return { start, length }
  throw new FormatError(`torch: a part of storage ${quote(key)} that lies outside of its ${count} elements`)
}

/**
 * A tensor that is made of others (torch/_tensor.py, `_reduce_ex_internal`). Args are (function, class, (class, dtype,
 * shape, …), state). A DTensor whose piece is all of it is that piece; anything else has a form of its own.
 */
function wrapperTensor(args: readonly PickleNode[], storages: StorageReader, level: number): Found {
  const [, cls, form, state] = args
  const name = globalName(cls) ?? 'a class'
  const [, dtypeNode, sizeNode] = itemsOf(form) ?? []
  const shape = countsOf(sizeNode)
  const dtype = globalName(dtypeNode)?.replace(/^torch\./, '') ?? '?'
  const what = `${name} ${dtype} [${listed(shape ?? [])}]`
  if (shardedClass.test(name)) return shardedTensor(state, storages, level)
  if (!/^torch\.distributed\.(?:_tensor|tensor)\b.*\.DTensor$/.test(name)) {
    return {
      kind: 'wrapper',
      text: `${what}: values in another form, which only its own program puts together`,
      parts: [],
    }
  }
  const local = tensorOf(attributeOf(state, '_local_tensor') ?? null, storages, level + 1)
  const placements = itemsOf(attributeOf(attributeOf(state, '_spec'), 'placements')) ?? []
  const isPartial = placements.some((one) => classOf(one)?.includes('Partial') === true)
  if (isPartial) return { kind: 'dtensor', text: `${what}, of which each process has a summand`, parts: [] }
  return wholeOrPiece('dtensor', what, shape, local)
}

/**
 * Objects that keep weights in a form of their own, out of which their own code makes a state_dict: torch's quantised
 * modules (torch/ao/nn/quantized, `_save_to_state_dict` and `__getstate__`), what its engines packed, HQQ's layers.
 */
const packedClasses = [
  /^torch\.ScriptObject$/,
  /^torch\.(?:ao\.)?nn\.(?:intrinsic\.)?quantized\.(?!reference\b).*\b(?:Linear|Conv|Embedding|LSTM|GRU|RNN|Packed)\w*$/,
  /^hqq\.core\.quantize\.HQQLinear\w*$/,
]

function packedObject({ callee }: PickleInstance): TorchComposite | undefined {
  if (typeof callee !== 'object' || callee?.kind !== 'global' || !/^(?:torch|hqq)\b/.test(callee.module)) {
    return undefined
  }
  const name = `${callee.module}.${callee.name}`
  if (!packedClasses.some((one) => one.test(name))) return undefined
  return { kind: 'packed', text: `${name}: weights packed in a form that only its own program reads`, parts: [] }
}

/** True for what a quantised parameter keeps beside its tensor, whether it is set or not. */
function isOfQuantised(state: PickleNode | undefined): boolean {
  const isGiven = ([key]: readonly [PickleNode, PickleNode]) =>
    /quant|scale|absmax|zero|^S?CB$/i.test(textOf(key) ?? '')
  return typeof state === 'object' && state?.kind === 'dict' && state.entries.some(isGiven)
}

/**
 * A parameter with attributes of its own. One of integers is quantised (bitsandbytes' Params4bit and Int8Params), and
 * what it needs to be read lies in the attributes, of which its module makes a state_dict.
 */
function packedParameter(args: readonly PickleNode[], storages: StorageReader, level: number): Found {
  const tensor = tensorOf(args[0] ?? null, storages, level + 1)
  if (tensor === undefined || !('storage' in tensor) || !/^u?int/.test(tensor.dtype)) return tensor
  const what = `quantised values ${tensor.dtype} [${listed(tensor.shape)}]`
  return { kind: 'packed', text: `${what}, which only the program that packed them reads`, parts: [] }
}

/** Of a class that has a function of its own to make it again, from parts that only that function knows. */
function foreignTensor([how, cls]: readonly PickleNode[]): TorchComposite {
  const text = `${globalName(cls) ?? 'a class'}, made by ${globalName(how) ?? 'a function'} of its own: only its program puts it together`
  return { kind: 'wrapper', text, parts: [] }
}

/**
 * What FSDP's first version saved of each process (torch/distributed/_shard/sharded_tensor/api.py): the state is
 * (local shards, metadata, …).
 */
function shardedTensor(state: PickleNode | undefined, storages: StorageReader, level: number): Found {
  const [first, second] = itemsOf(state) ?? []
  // Alone, or before what its slots hold.
  const [shards, metadata] = itemsOf(itemsOf(first)?.[0]) === undefined ? [first, second] : (itemsOf(first) ?? [])
  const shape = countsOf(attributeOf(metadata, 'size'))
  const what = `ShardedTensor [${listed(shape ?? [])}]`
  const [only, ...others] = itemsOf(shards) ?? []
  const local = only === undefined || others.length > 0 ? undefined : attributeOf(only, 'tensor')
  return wholeOrPiece('sharded', what, shape, tensorOf(local ?? null, storages, level + 1))
}

function wholeOrPiece(kind: string, what: string, shape: readonly number[] | undefined, local: Found): Found {
  if (local !== undefined && 'storage' in local && listed(local.shape) === listed(shape ?? [-1])) return local
  const piece = local !== undefined && 'storage' in local ? ` of [${listed(local.shape)}]` : ''
  const text = `${what}, of which this file has the piece${piece} of one process: put together where all processes are`
  return { kind, text, parts: [] }
}

/** The last part of an object's class. */
function classOf(node: PickleNode): string | undefined {
  const callee = typeof node === 'object' && node !== null && 'callee' in node ? node.callee : undefined
  return globalName(callee)?.replace(/^.*\./, '')
}

/** An attribute of an object, or the value of a key of the dict or (dict, slots) that a state is. */
function attributeOf(node: PickleNode | undefined, key: string): PickleNode | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  if (node.kind === 'dict') return node.entries.findLast(([name]) => textOf(name) === key)?.[1]
  const parts = 'states' in node ? node.states : 'items' in node && node.kind === 'tuple' ? node.items : []
  return parts.map((part) => attributeOf(part, key)).find((found) => found !== undefined)
}

function metaTensor(args: readonly PickleNode[]): TorchComposite {
  const dtype = globalName(args[0])?.replace(/^torch\./, '') ?? '?'
  return { kind: 'meta', text: `meta ${dtype} [${listed(countsOf(args[1]) ?? [])}], without values`, parts: [] }
}

/** What each layout is made of (torch/_utils.py, `_rebuild_sparse_tensor`). */
const sparseParts = new Map([
  ['sparse_coo', ['indices', 'values']],
  ['sparse_csr', ['crow_indices', 'col_indices', 'values']],
  ['sparse_csc', ['ccol_indices', 'row_indices', 'values']],
  ['sparse_bsr', ['crow_indices', 'col_indices', 'values']],
  ['sparse_bsc', ['ccol_indices', 'row_indices', 'values']],
])

/** Args are (layout, (parts…, shape[, is_coalesced])). */
function sparseTensor([layoutNode, dataNode]: readonly PickleNode[]): TorchComposite {
  const layoutText = typeof layoutNode === 'object' && layoutNode?.kind === 'call' ? argumentsOf(layoutNode)[0] : null
  const layout = (textOf(layoutText ?? undefined) ?? globalName(layoutNode) ?? '').replace(/^torch\./, '')
  const names = sparseParts.get(layout)
  const data = itemsOf(dataNode)
  if (names === undefined || data === undefined || data.length < names.length) {
    throw new FormatError(`torch: a sparse tensor of a layout that is not known: ${quote(layout)}`)
  }
  return composite(layout, `[${listed(countsOf(data[names.length]) ?? [])}]`, names, data)
}

function composite(kind: string, form: string, names: readonly string[], nodes: readonly PickleNode[]): TorchComposite {
  const parts = names.flatMap((name, index) => {
    const node = nodes[index]
    return node === undefined || node === null ? [] : [[name, node] as const]
  })
  return { kind, text: form === '' ? kind : `${kind} ${form}`, parts }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
