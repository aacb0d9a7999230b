/**
 * The stream that torch.save wrote before 1.6, and still writes inside of other things (torch/serialization.py,
 * _legacy_save): a magic number, a version, facts on the writer, the object and the sorted storage keys, each a
 * pickle of its own; then for each key the number of elements as a 64-bit integer and the elements, without padding,
 * little-endian whatever wrote them.
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../bytes/byte-source.js'
import {
  auditPickle,
  countOf,
  idOf,
  itemsOf,
  PickleEndsEarly,
  limitsFor,
  readPickle,
  textOf,
  type PickleCalls,
  type PickleNode,
  type PicklePersistent,
  type PickleReference,
  type Unpickled,
} from '../pickle/index.js'
import { storageType, type StorageType } from './classes.js'

/** The magic number as pickles of all protocols write it: LONG1, 10 bytes, STOP. */
const magicNumber = Uint8Array.of(0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e)

const knownVersion = 1001n

export interface LegacyStorage extends StorageType {
  readonly key: string
  /** `cpu`, `cuda:0`. */
  readonly location: string
  /** Elements. */
  readonly count: number
  /** Bytes from the start of the stream to the first element. */
  readonly offset: number
  /** Bytes of the elements. */
  readonly byteLength: number
}

export interface LegacyLayout {
  /** The saved object; tensors in it refer to storages by persistent ids. */
  readonly root: PickleNode
  /** What the object's pickle would call. */
  readonly calls: PickleCalls
  /** Every reference to something outside of the object's pickle. */
  readonly persistents: readonly PickleReference[]
  /** In the order of the stream. */
  readonly storages: readonly LegacyStorage[]
  /** Bytes that the whole stream must have. A shorter file was cut, killed while saving. */
  readonly expectedLength: number
}

/** A storage that stands alone in its stream, as torch's tensors are written into YAML. */
export interface BareStorage {
  readonly dtype: string
  readonly littleEndian: boolean
  readonly bytes: Uint8Array
}

/** True when the bytes begin as a legacy stream does: PROTO, from protocol 4 on a FRAME, and the magic number. */
export function isLegacyStream(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x80) return false
  const start = bytes[2] === 0x95 ? 11 : 2
  return magicNumber.every((byte, index) => bytes[start + index] === byte)
}

/** Bytes read at first; most headers fit. Four times as many are read until the header is whole. */
const firstRead = 64 * 1024

/** A header beyond this is refused: a million tensors take a hundred megabytes. */
const maxHeader = 512 * 1024 * 1024

/**
 * The layout of a legacy stream, of which only the header is read. Throws FormatError when it is none, or when it ends
 * within its header.
 */
export async function readLegacyLayout(source: ByteSource): Promise<LegacyLayout> {
  for (let length = firstRead; ; length *= 4) {
    const whole = length >= source.byteLength
    const bytes = await source.read(0, Math.min(length, source.byteLength))
    try {
      return parseHeader(bytes, source.byteLength).layout
    } catch (error) {
      if (!(error instanceof PickleEndsEarly) || whole) throw error
      if (length >= maxHeader) throw new FormatError(`torch legacy stream: a header of more than ${maxHeader} bytes`)
    }
  }
}

/**
 * The storage of a stream that holds nothing but one storage (torch.storage._load_from_bytes). Throws FormatError when
 * it holds anything else, or too few bytes.
 */
export function readBareStorage(bytes: Uint8Array): BareStorage {
  const { layout, views } = parseHeader(bytes, bytes.length)
  const id = isPersistent(layout.root) ? itemsOf(layout.root.id) : undefined
  const storage = layout.storages.find(({ key }) => key === textOf(id?.[2]))
  if (storage === undefined) throw new FormatError('torch legacy stream: holds no bare storage')
  checkLength(bytes, layout)
  checkCount(bytes, storage)
  const view = views.get(layout.root)
  const from = storage.offset + (view?.offset ?? 0) * storage.itemSize
  const length = view === undefined ? storage.byteLength : view.count * storage.itemSize
  return { dtype: storage.dtype, littleEndian: true, bytes: bytes.subarray(from, from + length) }
}

/** True for such a stream in which loading runs nothing: so a tensor lies in a bare pickle. */
export function isPlainBareStorage(bytes: Uint8Array): boolean {
  try {
    readBareStorage(bytes)
    return auditPickle(parseHeader(bytes, bytes.length).layout.calls).unsafe.length === 0
  } catch (error) {
    if (error instanceof FormatError) return false
    throw error
  }
}

function checkLength(bytes: Uint8Array, { expectedLength }: LegacyLayout): void {
  if (bytes.length >= expectedLength) return
  throw new FormatError(`torch legacy stream: ends early, ${bytes.length} of ${expectedLength} bytes`, {
    offset: bytes.length,
  })
}

/** The count before the elements must be the one that the object has. */
function checkCount(bytes: Uint8Array, { key, count, offset }: LegacyStorage): void {
  const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(offset - 8, true)
  if (stored === BigInt(count)) return
  throw new FormatError(
    `torch legacy stream: storage ${key} has ${stored.toString()} elements, where the object says ${count}`,
    { offset: offset - 8 },
  )
}

/** A part of a storage, in elements. */
interface View {
  readonly offset: number
  readonly count: number
}

interface Header {
  readonly layout: LegacyLayout
  readonly views: ReadonlyMap<PickleNode, View>
}

/** `bytes` begin a stream of `size` bytes. */
function parseHeader(bytes: Uint8Array, size: number): Header {
  if (!isLegacyStream(bytes)) throw new FormatError('torch legacy stream: the magic number is not there', { offset: 0 })
  const limits = limitsFor(size)
  const version = readPickle(bytes, readPickle(bytes, 0, limits).end, limits)
  if (version.value !== knownVersion) throw new FormatError('torch legacy stream: its version is not 1001')
  const facts = readPickle(bytes, version.end, limits)
  const object = readPickle(bytes, facts.end, limits)
  const keys = readPickle(bytes, object.end, limits)
  const described = describeStorages(object.persistents)
  const storages: LegacyStorage[] = []
  let offset = keys.end
  for (const node of itemsOf(keys.value) ?? []) {
    const storage = toLegacyStorage(textOf(node), described.storages, offset)
    storages.push(storage)
    offset = storage.offset + storage.byteLength
    if (!Number.isSafeInteger(offset)) throw new FormatError(`torch legacy stream: storage ${storage.key} is too large`)
  }
  const layout = {
    root: object.value,
    calls: callsOf([version, facts, object, keys]),
    persistents: object.persistents,
    storages,
    expectedLength: offset,
  }
  return { layout, views: described.views }
}

function callsOf(pickles: readonly Unpickled[]): PickleCalls {
  return {
    instances: pickles.flatMap(({ calls }) => calls.instances),
    globals: pickles.flatMap(({ calls }) => calls.globals),
    altered: pickles.flatMap(({ calls }) => calls.altered),
  }
}

function toLegacyStorage(
  key: string | undefined,
  known: ReadonlyMap<string, Described>,
  offset: number,
): LegacyStorage {
  const storage = key === undefined ? undefined : known.get(key)
  if (key === undefined || storage === undefined) {
    throw new FormatError(`torch legacy stream: storage ${key ?? '(no text)'} is listed, but nothing refers to it`)
  }
  return { key, ...storage, offset: offset + 8, byteLength: storage.count * storage.itemSize }
}

interface Described extends StorageType {
  readonly location: string
  readonly count: number
}

/** Ids are ('storage', class, key, location, elements, view), where view is None or (key, offset, elements). */
function describeStorages(persistents: readonly PickleReference[]): {
  storages: Map<string, Described>
  views: Map<PickleNode, View>
} {
  const storages = new Map<string, Described>()
  const views = new Map<PickleNode, View>()
  for (const persistent of persistents) {
    const id = itemsOf(idOf(persistent)) ?? []
    if (textOf(id[0]) !== 'storage') continue
    const [, cls, keyNode, location, countNode, viewNode] = id
    const type = storageType(cls)
    const key = textOf(keyNode)
    const count = countOf(countNode)
    if (type === undefined || key === undefined || count === undefined) {
      throw new FormatError('torch legacy stream: a storage is described by no known class, key and element count')
    }
    checkSame(key, storages.get(key), { ...type, count, location: '' })
    storages.set(key, { ...type, location: textOf(location) ?? '', count })
    if (viewNode !== null && viewNode !== undefined) views.set(persistent, viewOf(viewNode, key, count))
  }
  return { storages, views }
}

/** Tied weights refer to one storage several times; they must agree. */
function checkSame(key: string, earlier: Described | undefined, now: Described): void {
  if (earlier === undefined || (earlier.dtype === now.dtype && earlier.count === now.count)) return
  throw new FormatError(
    `torch legacy stream: storage ${key} is described as ${earlier.dtype} [${earlier.count}] and as ${now.dtype} [${now.count}]`,
  )
}

function viewOf(node: PickleNode, key: string, count: number): View {
  const [, offset, length] = itemsOf(node) ?? []
  const view = { offset: countOf(offset), count: countOf(length) }
  if (view.offset === undefined || view.count === undefined || view.offset + view.count > count) {
    throw new FormatError(`torch legacy stream: a view reaches outside of storage ${key} with its ${count} elements`)
  }
  return { offset: view.offset, count: view.count }
}

function isPersistent(node: PickleNode): node is PicklePersistent {
  return typeof node === 'object' && node !== null && node.kind === 'persistent'
}
