/**
 * `.metadata` of torch.distributed.checkpoint: a pickle that says of each piece of each tensor in which file it lies and
 * where (torch/distributed/checkpoint/metadata.py, `Metadata`; filesystem.py, `_StorageInfo`).
 */
import { FormatError } from '../../errors.js'
import {
  countOf,
  globalName,
  itemsOf,
  readPickle,
  textOf,
  type PickleCalls,
  type PickleNode,
  type PicklePair,
} from '../pickle/index.js'
import { attributesOf } from '../pickle/attributes.js'
import { countsOf, typeOf } from './tensor.js'

/** Where the bytes of an entry lie: a file of torch.save, one behind the other in a `.distcp`. */
export interface DcpBlob {
  /** Beside `.metadata`. */
  readonly file: string
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
  /** What the writer did to the bytes, the last first: `stream.zstd`. Mostly nothing. */
  readonly transforms: readonly string[]
}

/** A box of a tensor. Offsets and sizes count elements, one of each for an axis. */
export interface DcpChunk {
  readonly offsets: readonly number[]
  readonly sizes: readonly number[]
  /** Undefined where the metadata name no file for it. */
  readonly blob: DcpBlob | undefined
}

export interface DcpTensor {
  readonly name: string
  /** torch's name without `torch.`. */
  readonly dtype: string
  /** Bytes of one element. */
  readonly itemSize: number
  readonly shape: readonly number[]
  readonly chunks: readonly DcpChunk[]
  /** The shape before Megatron-Core laid each piece of it flat (dist_checkpointing/strategies/torch.py); mostly absent. */
  readonly flattenedFrom?: readonly number[]
}

/** An entry that is not a tensor: a number, a text, any object. */
export interface DcpObject {
  readonly name: string
  readonly blob: DcpBlob | undefined
}

export interface DcpMetadata {
  readonly tensors: readonly DcpTensor[]
  readonly objects: readonly DcpObject[]
  /** The keys that led to an entry in what was saved, by the entry's name: those of the planner. */
  readonly paths: ReadonlyMap<string, readonly string[]>
  readonly calls: PickleCalls
}

/** Dimensions and pieces are counted, not believed. Throws FormatError. */
export function readDcpMetadata(bytes: Uint8Array): DcpMetadata {
  const { value: root, calls } = readPickle(bytes)
  const entries = valueOf(root, 'state_dict_metadata')
  if (classOf(root) !== 'Metadata' || !isDict(entries)) {
    throw new FormatError('it is a pickle, but not the metadata of torch.distributed.checkpoint')
  }
  const blobs = readBlobs(valueOf(root, 'storage_data'))
  const ration = new Ration(bytes.length)
  const tensors = new Map<string, DcpTensor>()
  const objects = new Map<string, DcpObject>()
  for (const [key, entry] of entries.entries) {
    const name = textOf(key)
    if (name === undefined) throw new FormatError('an entry has a name that is not text')
    if (classOf(entry) === 'TensorStorageMetadata') tensors.set(name, readTensor(name, entry, blobs, ration))
    else if (classOf(entry) === 'BytesStorageMetadata') objects.set(name, { name, blob: blobs.get(objectKey(name)) })
    else throw new FormatError(`the entry ${quote(name)} is neither a tensor nor an object`)
  }
  for (const [name, shape] of readFlattened(valueOf(root, 'mcore_data'))) {
    const tensor = tensors.get(name)
    if (tensor !== undefined) tensors.set(name, { ...tensor, flattenedFrom: shape })
  }
  const paths = readPaths(valueOf(root, 'planner_data'))
  return { tensors: [...tensors.values()], objects: [...objects.values()], paths, calls }
}

/** By the file's name beside `.metadata`, the bytes that it must have at least. Throws FormatError. */
export function readDcpLengths(bytes: Uint8Array): ReadonlyMap<string, number> {
  const { calls } = readPickle(bytes)
  const lengths = new Map<string, number>()
  for (const instance of calls.instances) {
    if (globalName(instance.callee)?.endsWith('._StorageInfo') !== true) continue
    const { file, offset, length } = readBlob(instance)
    lengths.set(file, Math.max(lengths.get(file) ?? 0, offset + length))
  }
  return lengths
}

/** Pieces can be shared in a pickle, and so be very many in a small one. */
class Ration {
  private left: number

  constructor(bytes: number) {
    this.left = leastNumbers + 4 * bytes
  }

  take(numbers: number): void {
    this.left -= numbers
    if (this.left < 0)
      throw new FormatError('it tells of more pieces than fit into its size: it is made to be unreadable')
  }
}

const leastNumbers = 1_000_000

function readTensor(name: string, entry: PickleNode, blobs: ReadonlyMap<string, DcpBlob>, ration: Ration): DcpTensor {
  const state = typeof entry === 'object' && entry !== null && 'states' in entry ? entry : null
  const properties = valueOf(state, 'properties')
  // TensorProperties is set by a tuple that begins with the dtype.
  const described =
    typeof properties === 'object' && properties !== null && 'states' in properties ? properties.states[0] : undefined
  const { dtype, itemSize } = typeOf(itemsOf(described)?.[0] ?? valueOf(properties, 'dtype'))
  const shape = countsOf(valueOf(state, 'size'))
  const chunks = itemsOf(valueOf(state, 'chunks'))
  if (shape === undefined || chunks === undefined) {
    throw new FormatError(`the tensor ${quote(name)} is described without its size or its pieces`)
  }
  ration.take((chunks.length + 1) * (shape.length + 1))
  return { name, dtype, itemSize, shape, chunks: chunks.map((chunk) => readChunk(name, chunk, shape.length, blobs)) }
}

function readChunk(name: string, node: PickleNode, dimensions: number, blobs: ReadonlyMap<string, DcpBlob>): DcpChunk {
  const offsets = countsOf(valueOf(node, 'offsets'))
  const sizes = countsOf(valueOf(node, 'sizes'))
  if (offsets?.length === dimensions && sizes?.length === dimensions) {
    return { offsets, sizes, blob: blobs.get(chunkKey(name, offsets)) }
  }
  throw new FormatError(
    `a piece of the tensor ${quote(name)} has no offsets and sizes for its ${dimensions} dimensions`,
  )
}

/** By the tensor's name and the piece's offsets; of an object by its name alone. */
function readBlobs(node: PickleNode | undefined): ReadonlyMap<string, DcpBlob> {
  const blobs = new Map<string, DcpBlob>()
  if (!isDict(node)) return blobs
  for (const [index, info] of node.entries) {
    const name = textOf(valueOf(index, 'fqn'))
    if (name === undefined) throw new FormatError('a piece is listed without the name of its tensor')
    const offsets = countsOf(valueOf(index, 'offset'))
    blobs.set(offsets === undefined ? objectKey(name) : chunkKey(name, offsets), readBlob(info))
  }
  return blobs
}

function readBlob(node: PickleNode): DcpBlob {
  const file = textOf(valueOf(node, 'relative_path'))
  const [offset, length] = ['offset', 'length'].map((key) => countOf(valueOf(node, key)))
  if (file === undefined || offset === undefined || length === undefined) {
    throw new FormatError('a piece is described without its file, offset or length')
  }
  const transforms = (itemsOf(valueOf(node, 'transform_descriptors')) ?? []).map((one) => textOf(one) ?? '?')
  return { file, offset, length, transforms }
}

function chunkKey(name: string, offsets: readonly number[]): string {
  return `${offsets.join(',')} ${name}`
}

function objectKey(name: string): string {
  return ` ${name}`
}

function readPaths(node: PickleNode | undefined): Map<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>()
  for (const [key, value] of isDict(node) ? node.entries : []) {
    const name = textOf(key)
    const path = itemsOf(value)?.map((part) => textOf(part) ?? (typeof part === 'bigint' ? String(part) : undefined))
    if (name === undefined || path === undefined || path.length > mostKeys) continue
    const known = path.filter((part) => part !== undefined)
    if (known.length === path.length) paths.set(name, known)
  }
  return paths
}

/** Deeper than anything that is saved. */
const mostKeys = 100

/** By name, the shape that a tensor had: `{name: {'nd_reformulated_orig_global_shape': shape}}`. */
function readFlattened(node: PickleNode | undefined): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  for (const [key, value] of isDict(node) ? node.entries : []) {
    const name = textOf(key)
    const shape = countsOf(valueOf(value, 'nd_reformulated_orig_global_shape'))
    if (name !== undefined && shape !== undefined) shapes.set(name, shape)
  }
  return shapes
}

type Dict = Extract<PickleNode, { kind: 'dict' }>

function isDict(node: PickleNode | undefined): node is Dict {
  return typeof node === 'object' && node !== null && node.kind === 'dict'
}

/** The last part of an object's class. */
function classOf(node: PickleNode): string | undefined {
  const callee = typeof node === 'object' && node !== null && 'callee' in node ? node.callee : undefined
  return globalName(callee)?.replace(/^.*\./, '')
}

/** The value of a key of a dict, or of an attribute of an object; undefined where there is none. */
function valueOf(node: PickleNode | undefined, key: string): PickleNode | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  const pairs: readonly PicklePair[] = isDict(node) ? node.entries : 'states' in node ? attributesOf(node) : []
  return pairs.findLast(([name]) => textOf(name) === key)?.[1]
}

function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}
