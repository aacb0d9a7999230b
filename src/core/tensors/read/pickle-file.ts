/** Plain pickles of numpy arrays, as model zoos give them (Detectron2: detectron2/checkpoint/detection_checkpoint.py). */
import { FormatError } from '../../errors.js'
import { pickledArray, type PickledArray } from '../../formats/numpy/pickle.js'
import {
  auditPickle,
  isReadAsPickle,
  readUntilItBreaks,
  type PickleNode,
  type PickleSoFar,
} from '../../formats/pickle/index.js'
import { thinPickle, type Payload } from '../../formats/pickle/leave-out-payloads.js'
import { isPlainBareStorage } from '../../formats/torch-storages/legacy.js'
import { PythonValues } from '../../formats/python/pickle-values.js'
import { listTensors } from '../../formats/torch/names.js'
import type { TorchTensor } from '../../formats/torch/tensor.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle } from '../../storage/storage.js'
import { barePartsOf } from './bare-parts.js'
import { chunksOf } from './extent.js'
import { ListedFile, onlyFile } from './listed-file.js'
import { listArray } from './numpy-array.js'
import { bytesFrom, heldBytes, plainBytes, type StorageBytes } from './storage-bytes.js'
import type { TensorFile } from './tensor.js'

/** Bytes of a pickle that is read whole. */
const largestWhole = 1 << 24

/**
 * A pickle of up to `most` bytes is read whole. Throws FormatError: `refused` for one without arrays, `damaged` for one
 * that is broken or would run something.
 */
export async function openPickle(handle: ReadHandle, most = largestWhole): Promise<TensorFile> {
  const stat = await handle.stat()
  const source = sourceOf(handle)
  const [first, second = 0] = await source.read(0, 2)
  const title = `this is a Python pickle (protocol ${first === 0x80 ? second : '0 or 1'})`
  const { bytes, payloadOf, end } = await readOpcodes(handle, most)
  const { read, calls } = readUntilItBreaks(bytes)
  const { unsafe, opaque } = auditPickle(calls, isPlainBareStorage)
  if (unsafe[0] !== undefined) {
    throw new FormatError(`${title}, not a file of tensors; it ${unsafe[0]}, which loading it with Python would run`, {
      hint,
    })
  }
  if (read instanceof FormatError && Buffer.from(bytes).includes(joblibArray)) {
    throw new FormatError(
      'this is what joblib dumped, whose arrays lie between the opcodes of a pickle: it is not read',
      {
        hint: 'load it with joblib, and save its arrays with pickle.dump or numpy.savez',
        code: 'refused',
      },
    )
  }
  const root = rootOf(read, bytes.length, title)
  if (end !== handle.size) {
    throw new FormatError(`${title}, and ${handle.size - end} bytes follow its end`, { hint, offset: end })
  }
  const arrays: PickledArray[] = []
  const { tensors, isArray } = listArrays(root, arrays, handle.size)
  if (tensors.length === 0) throw new FormatError(`${title}, not a file of tensors`, { hint, code: 'refused' })
  const dataOf = (array: PickledArray): StorageBytes => dataIn(handle, array, payloadOf(array.data))
  const shared = sharersOf(tensors)
  const values = new PythonValues({ replace: (node) => (isArray(node) ? null : undefined) })
  return new ListedFile(onlyFile(handle, stat), {
    format: 'pickle',
    path: handle.path,
    byteLength: handle.size,
    tensors: tensors.map(({ name, array }) => {
      const tensor = listArray({ ...array, name, bytes: dataOf(array) })
      const first = shared.get(array)
      return first === undefined ? tensor : { ...tensor, shared: first, location: `array ${first}` }
    }),
    values: values.value(root) ?? null,
    parts: barePartsOf(
      root,
      tensors.map(({ name }) => name),
    ),
    opaque,
  })
}

/**
 * True for a pickle of protocol 0 or 1, as Python 2 wrote them where nothing else was said: they begin with no sign of
 * their own, so that the name counts too.
 */
export function isOldPickle(head: Uint8Array, { path, size }: ReadHandle): boolean {
  return /\.(?:pkl|pickle|p)$/i.test(path) && isReadAsPickle(head, size)
}

const hint = 'load it where it came from, and save its tensors with torch.save or as safetensors'

/** joblib/numpy_pickle.py */
const joblibArray = 'joblib.numpy_pickle'

interface Found {
  readonly name: string
  readonly array: PickledArray
}

/** An array under several names is one parameter: by each array the name that it has first, where it has several. */
function sharersOf(tensors: readonly Found[]): ReadonlyMap<PickledArray, string> {
  const first = new Map<PickledArray, string>()
  const shared = new Map<PickledArray, string>()
  for (const { name, array } of tensors) {
    const known = first.get(array)
    if (known === undefined) first.set(array, name)
    else shared.set(array, known)
  }
  return shared
}

async function readOpcodes(
  handle: ReadHandle,
  most: number,
): Promise<{
  readonly bytes: Uint8Array
  readonly payloadOf: (node: PickleNode) => Payload | undefined
  readonly end: number
}> {
  const source = sourceOf(handle)
  if (handle.size > most) return thinPickle(source)
  return { bytes: await source.read(0, handle.size), payloadOf: () => undefined, end: handle.size }
}

function rootOf(read: PickleSoFar['read'], length: number, title: string): PickleNode {
  if (read instanceof FormatError) throw broken(title, read)
  const { value, end } = read
  if (end === length) return value
  throw broken(title, new FormatError(`${length - end} bytes follow its end`, { offset: end }))
}

function broken(title: string, cause: FormatError): FormatError {
  return new FormatError(`${title}, and it is broken: ${cause.message}`, {
    cause,
    hint,
    ...(cause.offset === undefined ? {} : { offset: cause.offset }),
  })
}

/** By the keys that lead to each, as torch's tensors are named. */
function listArrays(root: PickleNode, arrays: PickledArray[], fileSize: number) {
  const found = new Map<PickleNode, number>()
  const find = (node: PickleNode): TorchTensor | undefined => {
    const array = pickledArray(node)
    if (array === undefined) return undefined
    found.set(node, arrays.length)
    arrays.push(array)
    return asTensor(array, arrays.length - 1)
  }
  const listing = listTensors(root, { fileSize, find })
  const tensors = listing.tensors.flatMap(({ name, tensor }): Found[] => {
    const array = 'storage' in tensor ? arrays[Number(tensor.storage.key)] : undefined
    return array === undefined ? [] : [{ name, array }]
  })
  return { tensors, isArray: (node: PickleNode) => found.has(node) }
}

/** The walk asks for its form and what it is kept in. */
function asTensor({ type, shape }: PickledArray, number: number): TorchTensor {
  const storage = {
    ...{ dtype: type.name, itemSize: type.size, key: String(number), location: 'cpu' },
    ...{ count: 0, start: 0, length: 0 },
  }
  return {
    storage,
    dtype: type.name,
    itemSize: type.size,
    offset: 0,
    shape,
    strides: [],
    conjugate: false,
    negative: false,
  }
}

function dataIn(handle: ReadHandle, { data, isText }: PickledArray, payload: Payload | undefined): StorageBytes {
  if (payload === undefined) return heldBytes(bytesOf(data))
  const bytes = bytesFrom(
    plainBytes(handle, payload.offset + payload.length, async () => 0),
    payload.offset,
  )
  return isText ? decoded(bytes) : bytes
}

function bytesOf(data: PickleNode): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'latin1')
  return typeof data === 'object' && data !== null && 'bytes' in data ? data.bytes : new Uint8Array(0)
}

/** UTF-8 of characters below 256, one for each byte. Their number is known when all were read: at most that of its bytes. */
function decoded(bytes: StorageBytes): StorageBytes {
  const stream = (offset: number, length: number, chunk: number) => latin1(bytes, offset, length, chunk)
  return {
    length: bytes.length,
    extent: async () => null,
    stream,
    read: async (offset, length) => {
      const parts: Uint8Array[] = []
      for await (const part of stream(offset, length, 1 << 20)) parts.push(Uint8Array.from(part))
      return Buffer.concat(parts)
    },
  }
}

async function* latin1(bytes: StorageBytes, offset: number, length: number, chunk: number): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let at = 0
  for await (const part of chunksOf(
    { length: bytes.length, read: (count, size) => bytes.stream(0, count, size) },
    chunk,
  )) {
    const text = Buffer.from(decoder.decode(part, { stream: true }), 'latin1')
    const wanted = text.subarray(Math.max(0, offset - at), Math.max(0, offset + length - at))
    at += text.length
    if (wanted.length > 0) yield wanted
    if (at >= offset + length) return
  }
  throw new FormatError(`an array ends after ${at} of ${offset + length} bytes`)
}
