/** torch's files: a pickle that describes tensors, and the bytes of the storages that they lie in. */
import { FormatError } from '../../errors.js'
import { auditPickle } from '../../formats/pickle/index.js'
import { PythonValues } from '../../formats/python/pickle-values.js'
import type { PickleCalls, PickleNode, PickleReference, PickleTensor } from '../../formats/pickle/index.js'
import type { PyValue } from '../../formats/python/value.js'
import { findParts, type TorchPart, type TorchParts } from '../../formats/torch/parts.js'
import { readZeroCopy, type ZeroCopy } from '../../formats/torch/deepspeed-zero.js'
import { isModule, listTensors, type NamedTensor, type TensorListing } from '../../formats/torch/names.js'
import { inFull, innermost, StorageReferences, tensorOf, type TorchTensor } from '../../formats/torch/tensor.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'
import { gather, isContiguous } from './gather-strided.js'
import { headerFor } from './header.js'
import type { StorageBytes } from './storage-bytes.js'
import { ensureSame } from './tensor.js'
import type { Extent, TensorData, TensorFile, TensorInfo } from './tensor.js'
import type { TorchStructure } from './torch-structure.js'
import type { FilePart, FileParts } from './file-parts.js'
import { hasSignBit, nameOfTorchDtype, numberSize } from './torch-dtypes.js'

/** The storages of a file. Each has a number of its own. */
export interface TorchStorages {
  /** All numbers are below it. */
  readonly count: number
  /** The number of the storage of a key; -1 for one that is not there. */
  readonly numberOf: (key: string) => number
  /** Bytes. */
  lengthOf(number: number): number
  get(number: number): StorageBytes
}

/** What the two containers, zip archive and stream, have in common. */
export interface TorchContents {
  readonly format: 'torch' | 'torch-legacy'
  readonly root: PickleNode
  readonly calls: PickleCalls
  readonly persistents: readonly PickleReference[]
  readonly references: StorageReferences
  readonly storages: TorchStorages
  /** False when each number's bytes must be turned round. */
  readonly littleEndian: boolean
  readonly metadata: ReadonlyMap<string, string>
  readonly findings: readonly string[]
  /** Reads the pickle once more: its nodes are let go of once the tensors are listed. */
  readonly reread: () => Promise<PickleNode>
}

/** Storages are checked. Throws FormatError when a tensor is not what the pickle says of it. */
export function openTorchContents(handle: ReadHandle, opened: Stat, contents: TorchContents): TensorFile {
  const audit = auditPickle(contents.calls)
  const listing = listTensors(contents.root, { storages: contents.references, fileSize: handle.size })
  const tensors = describe(listing.tensors, contents)
  checkTotal(tensors, handle.size)
  return new TorchFile(handle, opened, audit.unsafe.map(explain), audit.opaque, keep(contents, listing, tensors))
}

function explain(what: string): string {
  return `its pickle ${what}: loading it with Python would run that; nothing was run here`
}

/** Views can repeat a storage's elements without end; a file's tensors are not that many times its size. */
const mostTimes = 16
const alwaysFine = 1 << 28

function checkTotal(tensors: readonly TensorInfo[], fileSize: number): void {
  const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0)
  const most = fileSize * mostTimes + alwaysFine
  if (total <= most) return
  throw new FormatError(
    `torch: the tensors take ${total} bytes, and the file has ${fileSize}: views that repeat a few elements very often`,
  )
}

function bytesOf(shape: readonly number[], itemSize: number): number {
  let bytes = itemSize
  for (const length of shape) bytes *= length
  return bytes
}

/** What is kept of a file's contents: the nodes of a pickle take more memory than all that they tell. */
interface Kept {
  readonly format: string
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: readonly TensorInfo[]
  readonly named: readonly NamedTensor[]
  readonly values: PyValue
  readonly findings: readonly string[]
  readonly composites: ReadonlyMap<string, string>
  readonly parts: FileParts
  readonly isNested: boolean
  readonly storages: TorchStorages
  readonly littleEndian: boolean
  readonly reread: () => Promise<PickleNode>
}

function keep(contents: TorchContents, listing: TensorListing, tensors: readonly TensorInfo[]): Kept {
  const { format, metadata, storages, littleEndian, references, reread } = contents
  const parts = partsOf(contents.root, listing)
  const zero = readZeroCopy(contents.root)
  const values = new PythonValues({ replace: (node) => standIn(node, listing, references) })
  return {
    format,
    metadata,
    tensors,
    named: listing.tensors,
    values: values.value(contents.root) ?? null,
    findings: [
      ...contents.findings,
      ...listing.repeated.slice(0, 20).map((name) => `several tensors come to the name ${quote(name)}`),
      ...[...listing.composites].slice(0, 20).map(([name, { text }]) => `${quote(name)} is ${text}`),
      ...[...listing.again].map(
        ([name, first]) => `${quote(name)} is the same object as ${quote(first)}, and listed there`,
      ),
      ...tellSlices(listing.tensors, tensors, contents),
      ...(zero === null ? [] : tellZero(zero)),
      ...(values.isCut ? ['it holds more values than are listed'] : []),
    ],
    composites: new Map([
      ...[...listing.composites].map(([name, { text }]): [string, string] => [name, text]),
      ...(zero?.cut ?? []).map((name): [string, string] => [name, elsewhere]),
    ]),
    parts,
    isNested: !parts.isFlat,
    storages,
    littleEndian,
    reread,
  }
}

/** Bytes of storages that no tensor has, and how many times what the tensors have, before they are reported. */
const leastUnused = 4096
const leastTimes = 2

/** torch.save writes the whole storage of a slice that was not cloned. */
function tellSlices(
  named: readonly NamedTensor[],
  tensors: readonly TensorInfo[],
  { storages, references }: TorchContents,
): string[] {
  const held = new Map<number, number>()
  for (const [index, { tensor }] of named.entries()) {
    const number = 'storage' in tensor ? storages.numberOf(tensor.storage.key) : references.numberOf(tensor)
    if (number >= 0) held.set(number, (held.get(number) ?? 0) + (tensors[index]?.bytes ?? 0))
  }
  let [used, all] = [0, 0]
  for (const [number, bytes] of held) {
    const length = storages.lengthOf(number)
    used += Math.min(bytes, length)
    all += length
  }
  if (all - used < leastUnused || all < leastTimes * used) return []
  return [
    `its tensors have ${used} bytes, and the storages that they lie in ${all}: slices were saved without clone(), and what ckpt writes has their values alone`,
  ]
}

const elsewhere =
  'cut into pieces, which lie in the files *_optim_states.pt of all processes (DeepSpeed ZeRO 3): name their folder'

/** Of one file of DeepSpeed's ZeRO: what it has is not what training goes on with. */
function tellZero({ cut, rounded }: ZeroCopy): string[] {
  if (cut.length > 0) return [`${cut.length} of its parameters are ${elsewhere}`]
  if (rounded === 0) return []
  return [
    `${rounded} of its parameters are copies in half precision: the float32 weights that training goes on with lie in the files *_optim_states.pt beside it (DeepSpeed ZeRO); to take these, name the folder`,
  ]
}

/** A tensor's values can be replaced in the innermost node that describes it: a parameter is one around a tensor. */
function nodesByName({ tensors, found }: TensorListing): Map<string, PickleNode> {
  const nodes = new Map<unknown, PickleNode>([...found].map(([node, tensor]) => [tensor, innermost(node)]))
  return new Map(tensors.map(({ name, tensor }) => [name, 'storage' in tensor ? (nodes.get(tensor) ?? null) : tensor]))
}

/** Without the nodes that it was found in. */
function partsOf(root: PickleNode, { tensors, composites }: TensorListing): FileParts & Pick<TorchParts, 'isFlat'> {
  // What is made of several tensors is one.
  const isPart = (name: string) => composites.has(name.slice(0, Math.max(0, name.lastIndexOf('.'))))
  const names = tensors.flatMap(({ name }) => (isPart(name) ? [] : [name]))
  const found = findParts(root, [...names, ...composites.keys()])
  return { parts: found.parts.map(bare), weights: found.weights.map(bare), keys: found.keys, isFlat: found.isFlat }
}

function bare({ path, role, tensors, isModule: whole, except }: TorchPart): FilePart {
  return { path, role, tensors, isModule: whole, ...(except === undefined ? {} : { except }) }
}

class TorchFile implements TensorFile {
  readonly format: string
  readonly path: string
  readonly byteLength: number
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: readonly TensorInfo[]
  readonly values: PyValue
  readonly findings: readonly string[]
  readonly composites: ReadonlyMap<string, string>
  readonly parts: FileParts
  readonly isNested: boolean
  /** Made when values are asked for: a listing needs none. */
  private byName: ReadonlyMap<string, NamedTensor['tensor']> | undefined

  constructor(
    private readonly handle: ReadHandle,
    private readonly opened: Stat,
    readonly unsafe: readonly string[],
    readonly opaque: ReadonlyMap<string, number>,
    private readonly kept: Kept,
  ) {
    this.format = kept.format
    this.path = handle.path
    this.byteLength = handle.size
    this.metadata = kept.metadata
    this.tensors = kept.tensors
    this.values = kept.values
    this.findings = kept.findings
    this.composites = kept.composites
    this.parts = kept.parts
    this.isNested = kept.isNested
  }

  head(): Uint8Array {
    return headerFor(this)
  }

  private tensorOf({ name }: TensorInfo): TorchTensor {
    this.byName ??= new Map(this.kept.named.map((named) => [named.name, named.tensor]))
    const listed = this.byName.get(name)
    if (listed === undefined) throw new RangeError(`${this.path} has no tensor ${name}`)
    return inFull(listed)
  }

  locationOf(info: TensorInfo): string {
    return locationIn(this.tensorOf(info))
  }

  async dataOf(info: TensorInfo): Promise<TensorData> {
    return valuesIn(this.kept, this.tensorOf(info), info.bytes)
  }

  async structure(): Promise<TorchStructure> {
    const { storages, littleEndian, reread } = this.kept
    const root = await reread()
    const references = new StorageReferences(storages.numberOf)
    return {
      root,
      nodes: nodesByName(listTensors(root, { storages: references, fileSize: this.handle.size })),
      storageOf: (reference) => {
        const { key, start, length, count } = references.of(reference)
        // Bytes that must be turned round, or a part of a storage: only tensors of their own can hold these.
        if (!littleEndian || start > 0 || length < count) return null
        return { key, bytes: storages.get(references.numberOf(reference)) }
      },
    }
  }

  async ensureUnchanged(): Promise<void> {
    await ensureSame(this.handle, this.opened)
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/** Where a tensor's elements lie and how they are read, as a text. */
export function locationIn(tensor: TorchTensor): string {
  const { storage, dtype, itemSize, offset, shape, strides, conjugate, negative } = tensor
  const first = storage.start * storage.itemSize + offset * itemSize
  // Along an axis of one element nothing is stepped over.
  const steps = strides.map((stride, axis) => (shape[axis] === 1 ? 0 : stride))
  return [storage.key, first, dtype, shape.join('x'), steps.join('x'), conjugate, negative].join(' ')
}

/** A tensor's elements, row-major and little-endian; `size` bytes in all. */
export async function valuesIn(
  { storages, littleEndian }: Pick<TorchContents, 'storages' | 'littleEndian'>,
  tensor: TorchTensor,
  length: number,
): Promise<TensorData> {
  const { storage, dtype, itemSize, conjugate, negative } = tensor
  const bytes = storages.get(storages.numberOf(storage.key))
  const turned = !littleEndian && numberSize(dtype, itemSize) > 1
  const offset = tensor.offset + (storage.start * storage.itemSize) / itemSize
  const view = { offset, shape: tensor.shape, strides: tensor.strides, itemSize }
  const extent = await bytes.extent()
  const contiguous = isContiguous(view)
  if (extent !== null && contiguous && !turned && !conjugate && !negative) return part(extent, view, length)
  const raw = (wanted: number, chunk: number): AsyncGenerator<Uint8Array> =>
    contiguous ? bytes.stream(offset * itemSize, wanted, chunk) : gather(bytes, view, wanted, chunk)
  const change = changeOf(tensor, turned)
  return { length, read: (wanted, chunk) => wholeElements(raw(wanted, chunk), itemSize, change) }
}

function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}

function part({ handle, position }: Extent, view: { offset: number; itemSize: number }, length: number): Extent {
  return { handle, position: position + view.offset * view.itemSize, length }
}

function describe(tensors: readonly NamedTensor[], contents: TorchContents): TensorInfo[] {
  const { references } = contents
  const sharers = new Sharers(tensors, contents)
  return tensors.map(({ name, tensor, beside }, index) => {
    const { dtype, itemSize } = 'storage' in tensor ? tensor : references.typeOf(tensor)
    const { shape } = tensor
    const form = { name, dtype: nameOfTorchDtype(dtype), shape, bytes: bytesOf(shape, itemSize) }
    const info = beside === true ? { ...form, beside } : form
    const shared = sharers.firstOf(index)
    return shared === undefined ? info : { ...info, shared }
  })
}

/** Which tensors lie in one storage. Tensors and storages go by their numbers. */
class Sharers {
  readonly #tensors: readonly NamedTensor[]
  readonly #storageOf: Int32Array
  /** The first tensor of each storage. */
  readonly #first: Int32Array
  readonly #isShared: Uint8Array

  constructor(tensors: readonly NamedTensor[], { storages, references }: TorchContents) {
    this.#tensors = tensors
    this.#storageOf = new Int32Array(tensors.length)
    this.#first = new Int32Array(storages.count).fill(-1)
    this.#isShared = new Uint8Array(storages.count)
    tensors.forEach(({ tensor }, index) => {
      const number = 'storage' in tensor ? storages.numberOf(tensor.storage.key) : references.numberOf(tensor)
      this.#storageOf[index] = number
      if (this.#first[number] === -1) this.#first[number] = index
      else this.#isShared[number] = 1
    })
  }

  /** The name of the first tensor in the same storage; undefined where no other lies. */
  firstOf(tensor: number): string | undefined {
    const number = this.#storageOf[tensor] ?? -1
    return this.#isShared[number] === 1 ? this.#tensors[this.#first[number] ?? -1]?.name : undefined
  }
}

/** Tensors are left out of the values; what is made of tensors and whole modules are named. */
function standIn(node: PickleNode, listing: TensorListing, references: StorageReferences): PyValue | undefined {
  if (typeof node !== 'object' || node === null) return undefined
  if (node.kind === 'tensor')
    return listing.isListed[node.index] === true || isWhole(node, references) ? null : undefined
  if (!('callee' in node)) return undefined
  const found = listing.found.get(node) ?? tensorOrNone(node)
  if (found === null || found === undefined) return isModule(node) ? named('torch.nn.Module', '<module>') : undefined
  return 'storage' in found ? null : named(`torch.${found.kind}`, `<${found.text}>`)
}

function isWhole(tensor: PickleTensor, references: StorageReferences): boolean {
  try {
    references.requireInside(tensor)
    return true
  } catch (error) {
    if (error instanceof FormatError) return false
    throw error
  }
}

/** Null for a tensor that is broken, where a module keeps it beside its parameters. */
function tensorOrNone(node: PickleNode): ReturnType<typeof tensorOf> | null {
  try {
    return tensorOf(node)
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

function named(name: string, repr: string): PyValue {
  return { kind: 'opaque', name, repr }
}

/** Works on whole elements in place. */
type Change = (bytes: Uint8Array) => void

function changeOf({ dtype, itemSize, conjugate, negative }: TorchTensor, turned: boolean): Change | null {
  if ((conjugate || negative) && !hasSignBit(dtype)) {
    throw new FormatError(`torch: a ${dtype} tensor with a bit that says conjugate or negative`)
  }
  const size = numberSize(dtype, itemSize)
  const imaginaryOnly = conjugate && dtype.startsWith('complex') && !negative
  const realOnly = conjugate && dtype.startsWith('complex') && negative
  const flips = imaginaryOnly || realOnly || negative
  if (!turned && !flips) return null
  const step = imaginaryOnly || realOnly ? itemSize : size
  // A conjugate's negative has the real part's sign turned.
  const sign = imaginaryOnly ? itemSize - 1 : size - 1
  return (bytes) => {
    if (turned) for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse()
    if (flips) for (let at = sign; at < bytes.length; at += step) bytes[at] = (bytes[at] ?? 0) ^ 0x80
  }
}

/** Chunks of whole elements, changed where there is something to change. */
async function* wholeElements(
  chunks: AsyncIterable<Uint8Array>,
  itemSize: number,
  change: Change | null,
): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 && change === null ? chunk : joined(rest, chunk)
    const whole = bytes.length - (bytes.length % itemSize)
    // What a chunk has of the next element waits for the rest of it.
    rest = bytes.slice(whole)
    // Who reads numbers out of it needs them at multiples of their size.
    const elements = bytes.byteOffset % 8 === 0 ? bytes.subarray(0, whole) : bytes.slice(0, whole)
    change?.(elements)
    if (whole > 0) yield elements
  }
}

function joined(before: Uint8Array, after: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(before.length + after.length)
  bytes.set(before)
  bytes.set(after, before.length)
  return bytes
}
