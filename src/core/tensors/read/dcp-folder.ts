/**
 * A folder of torch.distributed.checkpoint: `.metadata` says of each tensor in which boxes the processes wrote it, and
 * where each lies as a file of torch.save of its own (torch/distributed/checkpoint/filesystem.py, `_write_item`).
 */
import { FormatError } from '../../errors.js'
import {
  readDcpMetadata,
  type DcpBlob,
  type DcpChunk,
  type DcpMetadata,
  type DcpTensor,
} from '../../formats/torch/dcp-metadata.js'
import { auditPickle } from '../../formats/pickle/index.js'
import type { PyValue } from '../../formats/python/value.js'
import type { ReadHandle, ReadStorage } from '../../storage/storage.js'
import { countOf, findUntiled, joinBoxes } from './sharded-tensor.js'
import { folderFile, FolderFiles } from './folder-file.js'
import type { ListedTensor } from './listed-file.js'
import { partsOfPaths } from './path-parts.js'
import { openSafetensors } from './safetensors-file.js'
import { ensureSafe, isExtent, joinParts, readExactly } from './tensor.js'
import type { TensorData, TensorFile, TensorInfo } from './tensor.js'
import { nameOfTorchDtype } from './torch-dtypes.js'
import { openTorchZip } from './torch-zip.js'
import { WindowHandle } from './window-handle.js'

/** Bytes of a `.metadata`, of which a model of a hundred thousand pieces has 30 MB. */
const largestMetadata = 512 << 20

const metadataName = '.metadata'

/** The file among a folder's names that tells of its tensors; without coordination that of the only rank. */
export function dcpMetadataAmong(names: readonly string[]): string | undefined {
  if (names.includes(metadataName)) return metadataName
  const own = names.filter((name) => /^__\d+\.metadata$/.test(name))
  return own.length === 1 ? own[0] : undefined
}

/**
 * Reads `.metadata`, or the file `name` in its place, and looks at the files that it names; none of them is opened. `folder` is absolute. Throws
 * FormatError for pieces that do not make up their tensors, and for files that are not there or too short.
 */
export async function openDcpFolder(storage: ReadStorage, folder: string, name = metadataName): Promise<TensorFile> {
  const path = `${folder}/${name}`
  const metadata = await readMetadata(storage, path)
  const names = new Set(blobsOf(metadata).map(({ file }) => requireBeside(file, path)))
  const files = await FolderFiles.look(storage, folder, [...names], path)
  for (const { name, blob } of namedBlobs(metadata)) requireInside(files, name, blob, path)
  const { unsafe, opaque } = auditPickle(metadata.calls)
  const composites = findComposites(metadata, path)
  const tensors = metadata.tensors.map((tensor) => describe(tensor, files, path))
  requireSense(tensors, files)
  return folderFile({
    format: 'torch-dcp',
    files,
    tensors: tensors.filter(({ name }) => !composites.has(name)),
    values: valuesOf(metadata),
    parts: partsOfPaths(metadata),
    composites,
    unsafe: unsafe.map((what) => `${path}: its pickle ${what}: loading it with Python would run that`),
    opaque: new Map([...opaque].filter(([name]) => !name.startsWith('torch.distributed.checkpoint.'))),
  })
}

async function readMetadata(storage: ReadStorage, path: string): Promise<DcpMetadata> {
  const [read] = await storage.read([path], largestMetadata)
  if (read?.ok !== true) throw read?.error ?? new FormatError(`${path}: could not be read`)
  try {
    return readDcpMetadata(read.value)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new FormatError(`${path}: ${error.message}`, { cause: error })
  }
}

function blobsOf(metadata: DcpMetadata): DcpBlob[] {
  return namedBlobs(metadata).map(({ blob }) => blob)
}

function namedBlobs({ tensors, objects }: DcpMetadata): { readonly name: string; readonly blob: DcpBlob }[] {
  const ofTensors = tensors.flatMap(({ name, chunks }) => chunks.map(({ blob }) => ({ name, blob })))
  return [...ofTensors, ...objects].flatMap(({ name, blob }) => (blob === undefined ? [] : [{ name, blob }]))
}

/** Writers name files by rank and number: no name leads elsewhere. */
function requireBeside(file: string, path: string): string {
  if (file !== '' && file !== '.' && file !== '..' && !/[/\\\0]/.test(file)) return file
  throw new FormatError(`${path}: names ${JSON.stringify(file)}, which is not a file beside it`)
}

function requireInside(files: FolderFiles, name: string, { file, offset, length }: DcpBlob, path: string): void {
  const size = files.sizeOf(file)
  if (offset + length <= size) return
  throw new FormatError(
    `${files.folder}/${file}: ends at byte ${size}, and ${path} says that ${length} bytes of ${quote(name)} begin at byte ${offset}`,
    { offset: size, hint: 'it was cut off; what else is missing of the checkpoint: ckpt verify FOLDER' },
  )
}

/** What cannot be put together by anything that the format says. */
function findComposites({ tensors }: DcpMetadata, path: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const { name, shape, chunks, flattenedFrom } of tensors) {
    const packed = chunks.flatMap(({ blob }) => blob?.transforms ?? [])[0]
    const lost = chunks.filter(({ blob }) => blob === undefined).length
    if (packed !== undefined) {
      found.set(name, `packed as ${JSON.stringify(packed)}, which is not read`)
    } else if (flattenedFrom !== undefined) {
      found.set(name, `laid flat by Megatron-Core, from [${flattenedFrom.join(', ')}], piece by piece`)
    } else if (lost > 0 && countOf(shape) > 0) {
      throw new FormatError(
        `${path}: says of ${lost} of the ${chunks.length} pieces of ${quote(name)} not where they lie`,
      )
    }
  }
  return found
}

function describe(tensor: DcpTensor, files: FolderFiles, path: string): ListedTensor {
  const { name, dtype, itemSize, shape, chunks } = tensor
  const bytes = countOf(shape) * itemSize
  const fault = Number.isSafeInteger(bytes) ? findUntiled(shape, chunks) : `it has [${shape.join(', ')}] elements`
  if (fault !== undefined) throw new FormatError(`${path}: tensor ${quote(name)}: ${fault}`)
  return {
    name,
    dtype: nameOfTorchDtype(dtype),
    shape,
    bytes,
    location: name,
    open: async () => {
      const boxes = chunks.map((chunk) => ({ ...chunk, open: () => openChunk(files, tensor, chunk) }))
      const [only] = boxes
      return only !== undefined && boxes.length === 1 ? only.open() : joinBoxes(shape, itemSize, boxes)
    },
  }
}

/** The one tensor of a piece. */
async function openChunk(files: FolderFiles, tensor: DcpTensor, { sizes, blob }: DcpChunk): Promise<TensorData> {
  const { name } = tensor
  if (blob === undefined) return joinParts([])
  const handle = await files.handleOf(blob.file)
  const together = await findTogether(handle, name)
  if (together !== null) return dataOf(together, tensor, sizes, `${handle.path}: the piece of ${quote(name)}`)
  const window = new WindowHandle(handle, blob.offset, blob.length)
  const where = `${handle.path}: the piece of ${quote(name)} at byte ${blob.offset}`
  const held = await openPiece(window, where)
  ensureSafe(held)
  const [piece, ...others] = held.tensors
  if (piece === undefined || others.length > 0) {
    throw new FormatError(`${where} holds ${held.tensors.length} tensors, and not one`, { offset: blob.offset })
  }
  requireForm(piece, tensor, sizes, where)
  const data = await held.dataOf(piece)
  return isExtent(data) ? inFile(data, handle, window) : data
}

/** A piece in a file of safetensors that holds all of one process. */
interface Together {
  readonly file: TensorFile
  readonly piece: TensorInfo
}

/** Null for a file of torch.save's archives; `SerializationFormat.SAFETENSORS` writes one of safetensors in its place. */
async function findTogether(handle: ReadHandle, name: string): Promise<Together | null> {
  const head = new Uint8Array(Math.min(9, handle.size))
  await readExactly(handle, head, 0)
  if (head[8] !== 0x7b || (head[0] === 0x50 && head[1] === 0x4b)) return null
  const file = await openSafetensors(handle)
  const piece = file.tensors.find((tensor) => tensor.name === name)
  if (piece !== undefined) return { file, piece }
  throw new FormatError(`${handle.path}: has no tensor ${quote(name)}, and .metadata says that a piece of it is there`)
}

async function dataOf({ file, piece }: Together, tensor: DcpTensor, sizes: readonly number[], where: string) {
  requireForm(piece, tensor, sizes, where)
  return file.dataOf(piece)
}

function requireForm(piece: TensorInfo, { dtype }: DcpTensor, sizes: readonly number[], where: string): void {
  const form = `${piece.dtype} [${piece.shape.join(', ')}]`
  const expected = `${nameOfTorchDtype(dtype)} [${sizes.join(', ')}]`
  if (form !== expected) throw new FormatError(`${where} is ${form}, and .metadata says ${expected}`)
}

async function openPiece(window: WindowHandle, where: string): Promise<TensorFile> {
  try {
    return await openTorchZip(window)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new FormatError(`${where} cannot be read: ${error.message}`, { cause: error, offset: window.start })
  }
}

/** In the file itself, so that pieces that follow one another are copied together. */
function inFile(
  data: Extract<TensorData, { handle: ReadHandle }>,
  handle: ReadHandle,
  window: WindowHandle,
): TensorData {
  return { handle, position: window.start + data.position, length: data.length }
}

/** Pieces may be named again and again; a checkpoint's tensors are not that many times its size. */
const mostTimes = 16
const alwaysFine = 1 << 28

function requireSense(tensors: readonly ListedTensor[], files: FolderFiles): void {
  const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0)
  if (total <= files.byteLength * mostTimes + alwaysFine) return
  throw new FormatError(`${files.folder}: the tensors take ${total} bytes, and its files have ${files.byteLength}`)
}

/** What is not a tensor is named. */
function valuesOf({ objects }: DcpMetadata): PyValue {
  if (objects.length === 0) return null
  const entries = objects
    .slice(0, mostValues)
    .map(({ name, blob }): [PyValue, PyValue] => [
      name,
      { kind: 'opaque', name: 'torch.distributed.checkpoint', repr: `<${blob?.length ?? 0} bytes>` },
    ])
  return { kind: 'dict', pairs: entries }
}

const mostValues = 10_000

function quote(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name)
}
