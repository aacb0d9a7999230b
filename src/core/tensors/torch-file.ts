/** torch's files: a pickle that describes tensors, and the bytes of the storages that they lie in. */
import { FormatError } from '../errors.js'
import { auditPickle, PythonValues } from '../formats/pickle/index.js'
import type { PickleInstance, PickleNode, PicklePersistent } from '../formats/pickle/index.js'
import type { PyValue } from '../formats/pyyaml/value.js'
import { isModule, listTensors, type NamedTensor, type TensorListing } from '../formats/torch-names.js'
import { storageOf, tensorOf, type TorchTensor } from '../formats/torch-tensor.js'
import type { ReadHandle, Stat } from '../storage/storage.js'
import { gather, isContiguous } from './gather.js'
import { headerFor } from './header.js'
import type { StorageBytes } from './storage-bytes.js'
import { ensureSame } from './tensor.js'
import type { Extent, TensorData, TensorFile, TensorInfo } from './tensor.js'
import { hasSignBit, nameOfTorchDtype, numberSize } from './torch-dtypes.js'

/** The storages of a file by their keys; undefined for one that is not there. */
export interface TorchStorages {
  /** Bytes. */
  lengthOf(key: string): number | undefined
  get(key: string): StorageBytes | undefined
}

/** What the two containers, zip archive and stream, have in common. */
export interface TorchContents {
  readonly format: 'torch' | 'torch-legacy'
  readonly root: PickleNode
  readonly instances: readonly PickleInstance[]
  readonly persistents: readonly PicklePersistent[]
  readonly storages: TorchStorages
  /** False when each number's bytes must be turned round. */
  readonly littleEndian: boolean
  readonly metadata: ReadonlyMap<string, string>
  readonly findings: readonly string[]
}

/** Throws FormatError when a tensor or a storage is not what the pickle says of it. */
export function openTorchContents(handle: ReadHandle, opened: Stat, contents: TorchContents): TensorFile {
  checkStorages(contents)
  const audit = auditPickle(contents.instances)
  const listing = listTensors(contents.root)
  checkTotal(listing.tensors, handle.size)
  return new TorchFile(handle, opened, contents, listing, audit.unsafe.map(explain), audit.opaque)
}

function explain(what: string): string {
  return `its pickle ${what}: loading it with Python would run that; nothing was run here`
}

/** Every storage that the pickle refers to is there, with all the bytes that it says. */
function checkStorages({ persistents, storages }: TorchContents): void {
  for (const persistent of persistents) {
    if (isModuleSource(persistent)) continue
    const { key, count, itemSize } = storageOf(persistent)
    const length = storages.lengthOf(key)
    if (length !== undefined && length >= count * itemSize) continue
    const name = JSON.stringify(key.slice(0, 80))
    throw new FormatError(
      length === undefined
        ? `torch: storage ${name} is described, but its data is not there`
        : `torch: storage ${name} has ${length} bytes, and ${count * itemSize} are expected`,
    )
  }
}

/** Older streams keep the source of a module's class: ('module', class, file, source). */
function isModuleSource({ id }: PicklePersistent): boolean {
  return typeof id === 'object' && id !== null && 'items' in id && id.items[0] === 'module'
}

/** Views can repeat a storage's elements without end; a file's tensors are not that many times its size. */
const mostTimes = 16
const alwaysFine = 1 << 28

function checkTotal(tensors: readonly NamedTensor[], fileSize: number): void {
  const total = tensors.reduce((sum, { tensor }) => sum + bytesOf(tensor), 0)
  const most = fileSize * mostTimes + alwaysFine
  if (total <= most) return
  throw new FormatError(
    `torch: the tensors take ${total} bytes, and the file has ${fileSize}: views that repeat a few elements very often`,
  )
}

function bytesOf({ shape, itemSize }: TorchTensor): number {
  return shape.reduce((product, length) => product * length, itemSize)
}

class TorchFile implements TensorFile {
  readonly format: string
  readonly path: string
  readonly byteLength: number
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: readonly TensorInfo[]
  readonly values: PyValue
  readonly findings: readonly string[]
  /** Made when values are asked for: a listing needs none. */
  private byName: ReadonlyMap<string, TorchTensor> | undefined

  constructor(
    private readonly handle: ReadHandle,
    private readonly opened: Stat,
    private readonly contents: TorchContents,
    private readonly listing: TensorListing,
    readonly unsafe: readonly string[],
    readonly opaque: ReadonlyMap<string, number>,
  ) {
    this.format = contents.format
    this.path = handle.path
    this.byteLength = handle.size
    this.metadata = contents.metadata
    this.tensors = describe(listing.tensors)
    const values = new PythonValues({ replace: (node) => standIn(node, listing) })
    this.values = values.value(contents.root) ?? null
    this.findings = [
      ...contents.findings,
      ...listing.repeated.slice(0, 20).map((name) => `several tensors come to the name ${JSON.stringify(name)}`),
      ...[...listing.composites].slice(0, 20).map(([name, { text }]) => `${JSON.stringify(name)} is ${text}`),
      ...[...listing.again].map(
        ([name, first]) => `${JSON.stringify(name)} is the same object as ${JSON.stringify(first)}, and listed there`,
      ),
      ...(values.isCut ? ['it holds more values than are listed'] : []),
    ]
  }

  head(): Uint8Array {
    return headerFor(this)
  }

  async dataOf(info: TensorInfo): Promise<TensorData> {
    this.byName ??= new Map(this.listing.tensors.map(({ name, tensor }) => [name, tensor]))
    const tensor = this.byName.get(info.name)
    if (tensor === undefined) throw new RangeError(`${this.path} has no tensor ${info.name}`)
    const { storage, dtype, itemSize, conjugate, negative } = tensor
    const bytes = this.contents.storages.get(storage.key)
    if (bytes === undefined) throw new RangeError(`${this.path} has no storage ${storage.key}`)
    const turned = !this.contents.littleEndian && numberSize(dtype, itemSize) > 1
    const offset = tensor.offset + (storage.start * storage.itemSize) / itemSize
    const view = { offset, shape: tensor.shape, strides: tensor.strides, itemSize }
    const extent = await bytes.extent()
    const contiguous = isContiguous(view)
    if (extent !== null && contiguous && !turned && !conjugate && !negative) return part(extent, view, info.bytes)
    const raw = (length: number, chunk: number): AsyncGenerator<Uint8Array> =>
      contiguous ? bytes.stream(offset * itemSize, length, chunk) : gather(bytes, view, length, chunk)
    const change = changeOf(tensor, turned)
    return { length: info.bytes, read: (length, chunk) => wholeElements(raw(length, chunk), itemSize, change) }
  }

  async ensureUnchanged(): Promise<void> {
    await ensureSame(this.handle, this.opened)
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

function part({ handle, position }: Extent, view: { offset: number; itemSize: number }, length: number): Extent {
  return { handle, position: position + view.offset * view.itemSize, length }
}

function describe(tensors: readonly NamedTensor[]): TensorInfo[] {
  const first = new Map<string, string>()
  const shared = new Set<string>()
  for (const { name, tensor } of tensors) {
    if (first.has(tensor.storage.key)) shared.add(tensor.storage.key)
    else first.set(tensor.storage.key, name)
  }
  return tensors.map(({ name, tensor }) => {
    const { shape, storage } = tensor
    const plain = { name, dtype: nameOfTorchDtype(tensor.dtype), shape, bytes: bytesOf(tensor) }
    return shared.has(storage.key) ? { ...plain, shared: first.get(storage.key) ?? name } : plain
  })
}

/** Tensors are left out of the values; what is made of tensors and whole modules are named. */
function standIn(node: PickleNode, listing: TensorListing): PyValue | undefined {
  if (typeof node !== 'object' || node === null || !('callee' in node)) return undefined
  const found = listing.found.get(node) ?? tensorOrNone(node)
  if (found === null || found === undefined) return isModule(node) ? named('torch.nn.Module', '<module>') : undefined
  return 'storage' in found ? null : named(`torch.${found.kind}`, `<${found.text}>`)
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
