/**
 * What torch.save wrote, of whichever container, as the nodes of its pickle; of the storages only single numbers are
 * read. For those who want the facts in a file and not its tensors.
 */
import { FormatError } from '../../errors.js'
import { inBlocks, type ByteSource } from '../bytes/byte-source.js'
import { elementTypes } from '../bytes/elements.js'
import { limitsFor, readPickle, type PickleCalls, type PickleNode, type Unpickled } from '../pickle/index.js'
import { UnpackingBudget } from '../compression/unpacking-budget.js'
import { PythonValues } from '../python/pickle-values.js'
import { isLegacyStream, readLegacyLayout } from '../torch-storages/legacy.js'
import { tensorOf, type TorchTensor } from './tensor.js'
import { hasChecksums, locateEntry, readSmallEntry, readZip, type ZipArchive, type ZipEntry } from '../archives/zip.js'

export interface TorchObject {
  readonly root: PickleNode
  /** What its pickle would call. */
  readonly calls: PickleCalls
  /** Null of a legacy stream. */
  readonly archive: ZipArchive | null
  /** A number, also one that numpy or a tensor of one element holds; undefined for anything else. */
  numberOf(node: PickleNode | undefined): Promise<number | undefined>
  /** The CRC-32 that the archive has for the storage of this key; null where it has none. */
  checksumOf(key: string): number | null
}

/** Gives `length` bytes of a storage from `position` on. */
type ReadStorageBytes = (key: string, position: number, length: number) => Promise<Uint8Array>

/** A million tensors are described in 200 MB; what has facts to tell is far smaller. */
const largestPickle = 1 << 26

/**
 * Null for a file of another kind: neither a zip archive with a pickle in it nor a legacy stream, or a TorchScript
 * program. Throws FormatError for one of these that is broken. `unpacking` is that of many files together.
 */
export async function openTorchObject(file: ByteSource, unpacking?: UnpackingBudget): Promise<TorchObject | null> {
  const source = inBlocks(file)
  const head = await source.read(0, 64)
  if (head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4) return openArchive(source, unpacking)
  return isLegacyStream(head) ? openStream(source) : null
}

async function openArchive(source: ByteSource, unpacking?: UnpackingBudget): Promise<TorchObject | null> {
  const archive = await readZip(source)
  const root = rootOf(archive)
  const pickle = archive.find(`${root ?? ''}data.pkl`)
  if (root === null || pickle === undefined || archive.find(`${root}constants.pkl`) !== undefined) return null
  const { value, calls } = await readArchivePickle(source, archive, pickle, largestPickle, unpacking)
  const recordOf = (key: string): ZipEntry | undefined => archive.find(`${root}data/${key}`)
  // `big` has three letters, `little` six.
  const isLittle = archive.find(`${root}byteorder`)?.size !== 3
  const read: ReadStorageBytes = async (key, position, length) => {
    const entry = recordOf(key)
    if (entry?.method !== 'stored' || position + length > entry.size) throw outside(key)
    const range = await locateEntry(source, archive, entry)
    return source.read(range.offset + position, length)
  }
  const hasSums = hasChecksums(archive)
  return {
    root: value,
    calls,
    archive,
    numberOf: (node) => numberOf(node, read, isLittle),
    checksumOf: (key) => (hasSums ? (recordOf(key)?.crc32 ?? null) : null),
  }
}

/** A pickle of an archive, with no more effort than the archive's size is worth. Throws FormatError. */
export async function readArchivePickle(
  source: ByteSource,
  archive: ZipArchive,
  pickle: ZipEntry,
  most: number,
  unpacking = UnpackingBudget.forPickles(),
): Promise<Unpickled> {
  ensureAlone(archive, pickle)
  const size = source.byteLength
  const limit = pickle.method === 'stored' ? most : Math.min(most, unpacking.mostOf(size))
  if (pickle.method !== 'stored') unpacking.spend(size, pickle.size)
  const bytes = await readSmallEntry(source, archive, pickle, limit)
  return readPickle(bytes, 0, limitsFor(source.byteLength))
}

/**
 * torch finds an entry whatever the case of its letters (miniz, `mz_zip_reader_locate_file` without a flag): of `data.pkl`
 * and `DATA.PKL` it may load the one that was not looked at. Throws FormatError.
 */
function ensureAlone(archive: ZipArchive, pickle: ZipEntry): void {
  const wanted = pickle.name.toLowerCase()
  // No numbered record is called so: of thousands none needs its name made.
  for (const { name } of archive.unnumbered()) {
    if (name.length !== wanted.length || name === pickle.name || name.toLowerCase() !== wanted) continue
    throw new FormatError(
      `two entries are one to torch, which takes no heed of case: ${JSON.stringify(pickle.name)} and ${JSON.stringify(name)}`,
    )
  }
}

/** What the first entry's name has before its first slash, with the slash: the file may have been renamed since. */
export function rootOf(archive: ZipArchive): string | null {
  const name = archive.count === 0 ? '' : archive.entry(0).name
  const slash = name.indexOf('/')
  return slash < 0 ? null : name.slice(0, slash + 1)
}

async function openStream(source: ByteSource): Promise<TorchObject> {
  const { root, calls, storages } = await readLegacyLayout(source)
  const read: ReadStorageBytes = async (key, position, length) => {
    const storage = storages.find((one) => one.key === key)
    if (storage === undefined || position + length > storage.byteLength) throw outside(key)
    return source.read(storage.offset + position, length)
  }
  return { root, calls, archive: null, numberOf: (node) => numberOf(node, read, true), checksumOf: () => null }
}

function outside(key: string): FormatError {
  return new FormatError(`torch: a number outside of storage ${JSON.stringify(key.slice(0, 80))}`)
}

async function numberOf(
  node: PickleNode | undefined,
  read: ReadStorageBytes,
  isLittle: boolean,
): Promise<number | undefined> {
  if (typeof node === 'number' || typeof node === 'bigint') return Number(node)
  if (typeof node !== 'object' || node === null) return undefined
  const tensor = tensorOf(node)
  if (tensor !== undefined) return 'storage' in tensor ? readElement(tensor, read, isLittle) : undefined
  if (!('callee' in node)) return undefined
  const value = new PythonValues({ most: 100 }).value(node)
  const isScalar = typeof value === 'object' && value?.kind === 'numpy'
  return isScalar && (typeof value.value === 'number' || typeof value.value === 'bigint')
    ? Number(value.value)
    : undefined
}

async function readElement(
  tensor: TorchTensor,
  read: ReadStorageBytes,
  isLittle: boolean,
): Promise<number | undefined> {
  const { storage, dtype, itemSize, offset, shape } = tensor
  const type = elementTypes.get(dtype)
  if (type === undefined || shape.some((length) => length !== 1)) return undefined
  const position = storage.start * storage.itemSize + offset * itemSize
  const bytes = await read(storage.key, position, type.size)
  if (bytes.length < type.size) throw outside(storage.key)
  const value = type.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, isLittle)
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined
}
