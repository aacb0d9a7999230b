/**
 * torch.save's zip archive: `ROOT/data.pkl` describes the object, `ROOT/data/KEY` are the storages (torch/serialization.py,
 * `_save`; caffe2/serialize/inline_container.cc).
 */
import { FormatError } from '../errors.js'
import type { ByteSource } from '../formats/byte-source.js'
import type { PicklePersistent } from '../formats/pickle/index.js'
import { readArchivePickle, rootOf } from '../formats/torch-object.js'
import { StorageReferences } from '../formats/torch-tensor.js'
import { readSmallEntry, readZip, type ZipArchive, type ZipEntry } from '../formats/zip.js'
import type { ReadHandle } from '../storage/storage.js'
import { sourceOf } from '../storage/source.js'
import { recordBytes, type StorageBytes } from './storage-bytes.js'
import type { TensorFile } from './tensor.js'
import { openTorchContents, type TorchStorages } from './torch-file.js'

/** A million tensors are described in 130 MB. */
const largestPickle = 1 << 29

/** Reads the directory and the pickle of an open archive, no storage. Throws FormatError. */
export async function openTorchZip(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  const source = sourceOf(handle)
  const archive = await readZip(source)
  const root = rootOf(archive)
  if (root === null)
    throw notForTensors(`a zip archive ${archive.entries.length === 0 ? 'without entries' : 'of another program'}`)
  const { byName } = archive
  const pickle = byName.get(`${root}data.pkl`)
  if (byName.has(`${root}constants.pkl`)) throw notForTensors('a TorchScript program')
  if (pickle === undefined) throw notForTensors(`a zip archive without ${JSON.stringify(`${root}data.pkl`)}`)
  const littleEndian = await readByteOrder(source, archive, byName.get(`${root}byteorder`))
  const { value, calls, persistents } = await readArchivePickle(source, archive, pickle, largestPickle)
  const records = recordsOf(archive, `${root}data/`)
  const bytesOf = (entry: ZipEntry): StorageBytes => recordBytes(handle, source, archive, entry)
  const storages: TorchStorages = {
    lengthOf: (key) => records.get(key)?.size,
    get: (key) => {
      const entry = records.get(key)
      return entry === undefined ? undefined : bytesOf(entry)
    },
  }
  const references = new StorageReferences()
  const unused = await tellUnused(unusedOf(records, persistents, references), bytesOf)
  return openTorchContents(handle, stat, {
    format: 'torch',
    root: value,
    calls,
    persistents,
    references,
    littleEndian,
    storages,
    metadata: new Map(),
    findings: [...findStrangers(archive, root), ...unused],
  })
}

/** The storages by their keys. */
function recordsOf({ entries }: ZipArchive, folder: string): Map<string, ZipEntry> {
  const records = new Map<string, ZipEntry>()
  for (const entry of entries) if (entry.name.startsWith(folder)) records.set(entry.name.slice(folder.length), entry)
  return records
}

function notForTensors(what: string): FormatError {
  return new FormatError(`${what}, no checkpoint that torch.save wrote`, {
    hint: 'Name a safetensors file, or one that torch.save wrote.',
  })
}

async function readByteOrder(source: ByteSource, archive: ZipArchive, entry: ZipEntry | undefined): Promise<boolean> {
  if (entry === undefined) return true
  const order = Buffer.from(await readSmallEntry(source, archive, entry, 64)).toString('latin1')
  if (order !== 'little' && order !== 'big') {
    throw new FormatError(`torch: the byte order is ${JSON.stringify(order)}, neither little nor big`)
  }
  return order === 'little'
}

/** Entries elsewhere: torch does not read them, and neither does this. */
function findStrangers({ entries }: ZipArchive, root: string): string[] {
  const strangers = entries.filter(({ name }) => !name.startsWith(root)).length
  return strangers === 0 ? [] : [`${strangers} of its ${entries.length} entries lie outside of ${JSON.stringify(root)}`]
}

function unusedOf(
  records: ReadonlyMap<string, ZipEntry>,
  persistents: readonly PicklePersistent[],
  references: StorageReferences,
): ZipEntry[] {
  const used = new Set<string>()
  for (const persistent of persistents) used.add(references.of(persistent).key)
  const unused: ZipEntry[] = []
  // Those that are used are all there, or the file is refused.
  if (used.size >= records.size) return unused
  for (const [key, entry] of records) if (!used.has(key)) unused.push(entry)
  return unused
}

/**
 * Records that the pickle does not refer to: torch writes none. One that is an archive itself is there so that
 * another reader sees another file, and is refused.
 */
async function tellUnused(unused: readonly ZipEntry[], bytesOf: (entry: ZipEntry) => StorageBytes): Promise<string[]> {
  for (const entry of unused.slice(0, mostLookedAt)) {
    if (entry.size < 4) continue
    const head = await bytesOf(entry).read(0, 4)
    if (head[0] !== 0x50 || head[1] !== 0x4b) continue
    throw new FormatError(`torch: nothing refers to ${JSON.stringify(entry.name)}, and it is a zip archive itself`)
  }
  return unused.length === 0 ? [] : [`it has ${unused.length} storages that nothing refers to`]
}

const mostLookedAt = 1000
