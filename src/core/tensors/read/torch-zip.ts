/**
 * torch.save's zip archive: `ROOT/data.pkl` describes the object, `ROOT/data/KEY` are the storages (torch/serialization.py,
 * `_save`; caffe2/serialize/inline_container.cc).
 */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import type { PickleReference } from '../../formats/pickle/index.js'
import { readArchivePickle, rootOf } from '../../formats/torch/object.js'
import { checkStorages } from '../../formats/torch/missing-storages.js'
import { StorageReferences } from '../../formats/torch/tensor.js'
import { readSmallEntry, readZip, type ZipArchive, type ZipEntry } from '../../formats/archives/zip.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'
import { sourceOf } from '../../storage/file-source.js'
import { recordBytes } from './storage-bytes.js'
import type { TensorFile } from './tensor.js'
import { openTorchScript } from './torchscript-file.js'
import { openTorchContents, type TorchStorages } from './torch-file.js'

/** A million tensors are described in 130 MB. */
const largestPickle = 1 << 29

/** Reads the directory and the pickle of an open archive, no storage. Throws FormatError. */
export async function openTorchZip(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  return openTorchArchive(handle, stat, await readZip(sourceOf(handle)))
}

/** Likewise, of an archive whose directory was read. */
export async function openTorchArchive(handle: ReadHandle, stat: Stat, archive: ZipArchive): Promise<TensorFile> {
  const source = sourceOf(handle)
  const root = rootOf(archive)
  if (root === null)
    throw notForTensors(`a zip archive ${archive.count === 0 ? 'without entries' : 'of another program'}`)
  const pickle = archive.find(`${root}data.pkl`)
  if (pickle === undefined) throw notForTensors(`a zip archive without ${JSON.stringify(`${root}data.pkl`)}`)
  const littleEndian = await readByteOrder(source, archive, archive.find(`${root}byteorder`))
  const isProgram = archive.find(`${root}constants.pkl`) !== undefined
  const { value, calls, persistents } = await readArchivePickle(source, archive, pickle, largestPickle)
  const folder = `${root}data/`
  const storages: TorchStorages = {
    count: archive.count,
    numberOf: (key) => archive.numberOf(folder, key),
    lengthOf: (number) => archive.sizeOf(number),
    get: (number) => recordBytes(handle, source, archive, archive.entry(number)),
  }
  const references = new StorageReferences(storages.numberOf)
  checkStorages({ persistents, references, storages })
  if (isProgram) {
    return openTorchScript(handle, stat, { source, archive, root, value, calls, references, littleEndian, storages })
  }
  const used = usedOf(archive.count, persistents, references)
  const unused = await tellUnused(unusedOf(archive, folder, used), archive, storages)
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
    reread: async () => (await readArchivePickle(source, archive, pickle, largestPickle)).value,
  })
}

function notForTensors(what: string): FormatError {
  return new FormatError(`${what}, no checkpoint that torch.save wrote`, {
    hint: 'name a safetensors file, or one that torch.save wrote',
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
function findStrangers(archive: ZipArchive, root: string): string[] {
  const strangers = archive.count - archive.countIn(root)
  return strangers === 0 ? [] : [`${strangers} of its ${archive.count} entries lie outside of ${JSON.stringify(root)}`]
}

/** 1 for every storage that the pickle refers to. */
function usedOf(count: number, persistents: readonly PickleReference[], references: StorageReferences): Uint8Array {
  const used = new Uint8Array(count)
  for (const persistent of persistents) {
    const number = references.numberOf(persistent)
    if (number >= 0) used[number] = 1
  }
  return used
}

/** The numbers of the storages that nothing refers to. */
function unusedOf(archive: ZipArchive, folder: string, used: Uint8Array): number[] {
  const count = used.reduce((sum, one) => sum + one, 0)
  if (count >= archive.countIn(folder)) return []
  const unused: number[] = []
  for (const [number, { name }] of archive.entries.entries()) {
    if (used[number] === 0 && name.startsWith(folder)) unused.push(number)
  }
  return unused
}

/**
 * Records that the pickle does not refer to: torch writes none. One that is an archive itself is there so that
 * another reader sees another file, and is refused.
 */
async function tellUnused(unused: readonly number[], archive: ZipArchive, storages: TorchStorages): Promise<string[]> {
  for (const number of unused.slice(0, mostLookedAt)) {
    if (storages.lengthOf(number) < 4) continue
    const head = await storages.get(number).read(0, 4)
    if (head[0] !== 0x50 || head[1] !== 0x4b) continue
    const { name } = archive.entry(number)
    throw new FormatError(`torch: nothing refers to ${JSON.stringify(name)}, and it is a zip archive itself`)
  }
  return unused.length === 0 ? [] : [`it has ${unused.length} storages that nothing refers to`]
}

const mostLookedAt = 1000
