/** All formats of tensors, and opening a file or a folder in whichever it is. */
import { FormatError } from '../../errors.js'
import { SafetensorsError } from '../../formats/safetensors/safetensors.js'
import { isPickle } from '../../formats/pickle/index.js'
import { isLegacyStream } from '../../formats/torch-storages/legacy.js'
import type { ReadHandle, ReadStorage } from '../../storage/storage.js'
import { isNpy } from '../../formats/numpy/npy.js'
import { isFlaxMsgpack } from '../../formats/msgpack/flax.js'
import { openFlax } from './flax-file.js'
import { isGguf } from '../../formats/gguf/gguf.js'
import { isHdf5 } from '../../formats/hdf5/hdf5.js'
import { hdf5Start } from '../../formats/hdf5/end.js'
import { sourceOf } from '../../storage/file-source.js'
import { openBehindUserBlock, openHdf5 } from './hdf5-file.js'
import { openGguf } from './gguf-file.js'
import { openNpy } from './npy-file.js'
import { nameForeignFormat } from './foreign-formats.js'
import { openSafetensors } from './safetensors-file.js'
import { findTensorFolder } from './tensor-folder.js'
import { openSharded } from './sharded-file.js'
import { readExactly } from './tensor.js'
import type { TensorFile } from './tensor.js'
import { isTensorFlowIndex, openTensorFlow } from './tensorflow-file.js'
import { openTorchLegacy } from './torch-legacy-file.js'
import { isOldPickle, openPickle } from './pickle-file.js'
import { isZip, openZip } from './zip-file.js'

/** A tensor format. To add one: its file, and a line in `formats`. */
interface TensorFormat {
  /** Whether a file of `size` bytes that begins with `head` can be one. */
  recognises(head: Uint8Array, size: number): boolean
  open(handle: ReadHandle, beside: Beside): Promise<TensorFile>
}

/** How a format comes to what it has in other files. */
interface Beside {
  readonly storage: ReadStorage
  /** Opens another file of tensors, of which this one says that it holds a part of them. */
  readonly openShard: (path: string) => Promise<TensorFile>
}

const single: readonly TensorFormat[] = [
  { recognises: looksLikeSafetensors, open: openSafetensors },
  { recognises: isZip, open: openZip },
  { recognises: isLegacyStream, open: openTorchLegacy },
  { recognises: isNpy, open: openNpy },
  { recognises: isGguf, open: openGguf },
  { recognises: isHdf5, open: (handle) => openHdf5(handle) },
  { recognises: isFlaxMsgpack, open: openFlax },
  { recognises: isTensorFlowIndex, open: (handle, { storage }) => openTensorFlow(handle, storage) },
]
const formats: readonly TensorFormat[] = [
  ...single,
  // Nearly all pickles hold something else: only where one is named is it looked into.
  { recognises: isPickle, open: (handle) => openPickle(handle) },
  { recognises: isJson, open: openSharded },
]

/** Enough for the signature that lies farthest in: tar's, at 257. */
const headLength = 512

/**
 * Opens a file of tensors, of a format known by its bytes and not by its name; reads headers only. The index of a
 * sharded model opens all of its files, and a folder that is one checkpoint of several processes those that it needs.
 * `path` is absolute. Throws StorageError and FormatError: a file that is
 * broken, or of another kind, which is named.
 */
export async function openTensors(storage: ReadStorage, path: string): Promise<TensorFile> {
  const folder = await findTensorFolder(storage, path)
  if (folder !== null) return folder.open()
  return openOneOf(formats, storage, path)
}

/** TensorFlow's index with its texts among the tensors, for their checksums. Throws as `openTensors` does. */
export async function openTensorFlowWithTexts(storage: ReadStorage, path: string): Promise<TensorFile> {
  const format: TensorFormat = {
    recognises: isTensorFlowIndex,
    open: (handle) => openTensorFlow(handle, storage, { withTexts: true }),
  }
  return openOneOf([format], storage, path)
}

/** True for a file that begins as one of the formats does: not for an index, which names others. */
export async function isTensorFile(storage: ReadStorage, path: string): Promise<boolean> {
  const handle = await storage.open(path)
  try {
    const head = new Uint8Array(Math.min(headLength, handle.size))
    await readExactly(handle, head, 0)
    if (path.endsWith('.safetensors') || single.some((format) => format.recognises(head, handle.size))) return true
    return (await hdf5Start(sourceOf(handle))) !== null
  } finally {
    await handle.close()
  }
}

async function openOneOf(among: readonly TensorFormat[], storage: ReadStorage, path: string): Promise<TensorFile> {
  const handle = await storage.open(path)
  try {
    // An index names files of tensors, never another index.
    return await openHandle(among, handle, { storage, openShard: (shard) => openOneOf(single, storage, shard) })
  } catch (error) {
    await handle.close().catch(() => undefined)
    throw sayWhere(error, path)
  }
}

function sayWhere(error: unknown, path: string): unknown {
  if (!(error instanceof FormatError) || error.message.startsWith(path) || error instanceof SafetensorsError)
    return error
  const { message, hint, offset, code } = error
  return new FormatError(`${path}: ${message}`, {
    cause: error,
    code: code === 'refused' ? code : 'damaged',
    ...(hint === undefined ? {} : { hint }),
    ...(offset === undefined ? {} : { offset }),
  })
}

async function openHandle(among: readonly TensorFormat[], handle: ReadHandle, beside: Beside): Promise<TensorFile> {
  const head = new Uint8Array(Math.min(headLength, handle.size))
  await readExactly(handle, head, 0)
  const format = among.find((one) => one.recognises(head, handle.size))
  if (format !== undefined) return format.open(handle, beside)
  if (among === formats && isOldPickle(head, handle)) return openPickle(handle)
  const start = await hdf5Start(sourceOf(handle))
  if (start !== null) return openBehindUserBlock(handle, start)
  const foreign = nameForeignFormat(head, handle.path)
  if (foreign !== undefined) {
    const code = foreign.isSound ? 'refused' : 'damaged'
    throw new FormatError(`this is ${foreign.title}, not a file of tensors`, {
      hint: foreign.hint,
      offset: 0,
      code,
    })
  }
  // Nothing known: as a safetensors file it is broken, and its reader says where.
  return openSafetensors(handle)
}

/** White space, then `{`. */
function isJson(head: Uint8Array): boolean {
  const first = head.find((byte) => ![0x20, 0x09, 0x0a, 0x0d].includes(byte))
  return first === 0x7b
}

/** A length that the file can hold, then `{` or white space: no other signature fits it. */
function looksLikeSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 9) return false
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true)
  if (length + 8n > BigInt(size)) return false
  return [0x7b, 0x20, 0x09, 0x0a, 0x0d].includes(head[8] ?? 0)
}
