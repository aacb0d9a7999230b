/** torch's archive as it is written: a pickle that describes an object, and the storages of its tensors. */
import { basename, extname } from 'node:path'
import { CkptError } from '../../errors.js'
import { idOf, itemsOf, writePickle, type PickleNode, type PicklePersistent } from '../../formats/pickle/index.js'
import { pickleStateDict, tensorNode, type PickledTensor } from '../../formats/torch/state-dict-pickle.js'
import { archiveEnd, recordHeader, recordTrailer, type ClosedRecord } from '../../formats/torch/archive.js'
import type { WriteHandle } from '../../storage/storage.js'
import type { StorageBytes } from '../read/storage-bytes.js'
import type { TensorFile } from '../read/tensor.js'
import type { TorchStructure } from '../read/torch-structure.js'
import type { Pace } from './long-work.js'
import { writeAsIs } from './tensor-bytes.js'
import { SummingSink, type Sink } from './sink.js'
import type { OutputTensor } from './output-tensor.js'

/** An object in which tensors of the output take the places of others; all else in it stays as it is. */
export interface OutputStructure extends Pick<TorchStructure, 'root' | 'storageOf'> {
  /** By the nodes whose places they take, the names of the output's tensors. */
  readonly names: ReadonlyMap<PickleNode, string>
}

/** Undefined for a file whose names and tensors say it all. */
export async function structureOf(file: TensorFile): Promise<OutputStructure | undefined> {
  if (file.isNested !== true) return undefined
  const structure = await file.structure?.()
  if (structure === undefined) return undefined
  const { root, nodes, storageOf } = structure
  return { root, storageOf, names: new Map([...nodes].map(([name, node]) => [node, name])) }
}

interface Record {
  /** Bytes. */
  readonly size: number
  readonly writeTo: (sink: Sink) => Promise<void>
}

export interface Archive {
  readonly pickle: Uint8Array
  /** By their keys, which count from 0. */
  readonly storages: readonly Record[]
  /** Bytes of all storages. */
  readonly length: number
}

/** Throws CkptError `refused` for a structure that cannot be written. */
export function planArchive(tensors: readonly OutputTensor[], structure?: OutputStructure): Archive {
  const stored = tensors.filter(({ tiedTo }) => tiedTo === undefined)
  const keys = new Map(stored.map(({ name }, index) => [name, String(index)]))
  const pickled = tensors.map((tensor) => ({ ...tensor, storage: keys.get(tensor.tiedTo ?? tensor.name) ?? '' }))
  const storages = stored.map(({ bytes, writeTo }): Record => ({ size: bytes, writeTo }))
  const pickle = structure === undefined ? pickleStateDict(pickled) : pickleObject(structure, pickled, storages)
  return { pickle, storages, length: storages.reduce((sum, { size }) => sum + size, 0) }
}

/** Storages that stay are put behind `storages`. */
function pickleObject(
  { root, names, storageOf }: OutputStructure,
  tensors: readonly PickledTensor[],
  storages: Record[],
): Uint8Array {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const keys = new Map<string, string>()
  const made = new Set<PickleNode>()
  const keyFor = (node: PicklePersistent): string => {
    const storage = storageOf(node)
    if (storage === null) {
      throw new CkptError('refused', 'what lies beside the weights cannot be kept: it is of another byte order', {
        hint: 'leave it out with --weights-only',
      })
    }
    const known = keys.get(storage.key)
    if (known !== undefined) return known
    const key = String(storages.length)
    keys.set(storage.key, key)
    storages.push({ size: storage.bytes.length, writeTo: (sink) => writeStorage(storage.bytes, sink) })
    return key
  }
  return writePickle(root, {
    replace: (node) => {
      const tensor = byName.get(names.get(node) ?? '')
      if (tensor !== undefined) return remember(made, tensorNode(tensor))
      if (node.kind !== 'persistent' || made.has(node)) return undefined
      const [what = null, cls = null, , , count = null] = itemsOf(idOf(node)) ?? []
      // Where it lay when it was saved is nothing that this file needs: it loads anywhere.
      const items = [what, cls, keyFor(node), 'cpu', count]
      return remember(made, { kind: 'persistent', id: { kind: 'tuple', items }, index: node.index })
    },
  })
}

/** Nothing in what was made is to be replaced again. */
function remember<Node extends PickleNode>(made: Set<PickleNode>, node: Node): Node {
  made.add(node)
  if (typeof node === 'object' && node !== null && 'args' in node) {
    for (const arg of itemsOf(node.args) ?? []) made.add(arg)
  }
  return node
}

async function writeStorage(bytes: StorageBytes, sink: Sink): Promise<void> {
  const extent = await bytes.extent()
  if (extent !== null) return sink.copy(extent)
  const { length } = bytes
  await writeAsIs({ length, read: (count, chunk) => bytes.stream(0, count, chunk) }, sink)
}

/** The records that every torch since 1.6 reads; their data in the order of their keys. Gives the file's length. */
export async function fillArchive(
  handle: WriteHandle,
  pace: Pace,
  path: string,
  { pickle, storages }: Archive,
): Promise<number> {
  const root = archiveRoot(path)
  const sink = new SummingSink(handle, pace)
  const records: ClosedRecord[] = []
  const add = async (name: string, size: number, writeTo: () => Promise<void>): Promise<void> => {
    const record = { name: `${root}/${name}`, size, offset: sink.length }
    await sink.write(recordHeader(record))
    sink.begin()
    await writeTo()
    const closed = { ...record, crc32: sink.checksum }
    await sink.write(recordTrailer(closed))
    records.push(closed)
  }
  const addText = (name: string, bytes: Uint8Array) => add(name, bytes.length, () => sink.write(bytes))
  const encoder = new TextEncoder()
  await addText('data.pkl', pickle)
  await addText('byteorder', encoder.encode('little'))
  for (const [key, { size, writeTo }] of storages.entries()) {
    await add(`data/${key}`, size, async () => {
      if (size > 0) await writeTo(sink)
    })
  }
  await addText('version', encoder.encode('3\n'))
  await sink.write(archiveEnd(records, sink.length))
  await sink.flush()
  return sink.length
}

/** torch names an archive's folder after the file (torch/serialization.py, `_open_zipfile_writer_file`). */
function archiveRoot(path: string): string {
  const stem = basename(path, extname(path))
  return /^[\x20-\x7e]+$/.test(stem) && !/[\\/]/.test(stem) ? stem : 'archive'
}
