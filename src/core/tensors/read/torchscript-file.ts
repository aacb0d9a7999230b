/** The parameters and buffers of a TorchScript program (formats/torch/torchscript.ts). */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import { auditPickle, type PickleCalls, type PickleNode } from '../../formats/pickle/index.js'
import {
  classNames,
  codeFileOf,
  listTorchScript,
  scriptClasses,
  type ScriptClass,
} from '../../formats/torch/torchscript.js'
import { inFull, type StorageReferences, type TorchTensor } from '../../formats/torch/tensor.js'
import { readSmallEntry, type ZipArchive } from '../../formats/archives/zip.js'
import type { ReadHandle, Stat } from '../../storage/storage.js'
import { ListedFile, onlyFile, type ListedTensor } from './listed-file.js'
import type { TensorFile } from './tensor.js'
import { nameOfTorchDtype } from './torch-dtypes.js'
import { locationIn, valuesIn, type TorchStorages } from './torch-file.js'

export interface TorchScriptContents {
  readonly source: ByteSource
  readonly archive: ZipArchive
  /** What all names in the archive begin with. */
  readonly root: string
  readonly value: PickleNode
  readonly calls: PickleCalls
  readonly references: StorageReferences
  readonly littleEndian: boolean
  readonly storages: TorchStorages
}

/** Throws FormatError where the code or the pickle is not as torch writes it. */
export async function openTorchScript(
  handle: ReadHandle,
  stat: Stat,
  contents: TorchScriptContents,
): Promise<TensorFile> {
  const classes = await readClasses(contents)
  const named = listTorchScript(contents.value, classes, contents.references)
  const { unsafe, opaque } = auditPickle(contents.calls)
  const tensors = named.map(({ name, tensor }) => listed(name, inFull(tensor), contents))
  return new ListedFile(onlyFile(handle, stat), {
    format: 'torchscript',
    path: handle.path,
    byteLength: handle.size,
    tensors: withShared(tensors),
    unsafe: unsafe.map((what) => `its pickle ${what}: loading it would run that; nothing was run here`),
    opaque: new Map([...opaque].filter(([name]) => !name.startsWith('__torch__.'))),
  })
}

/** Bytes of one file of code, of all of them, and their number: a large model has a few thousand classes. */
const largestCode = 1 << 24
const mostCode = 1 << 27
const mostFiles = 20_000

async function readClasses({ source, archive, root, calls }: TorchScriptContents): Promise<Map<string, ScriptClass>> {
  const wanted = classNames(calls.globals)
  const files = new Set([...wanted].map(codeFileOf))
  if (files.size > mostFiles) throw new FormatError(`torch: a program of ${files.size} files`)
  const classes = new Map<string, ScriptClass>()
  let left = mostCode
  for (const file of files) {
    const entry = archive.find(`${root}code/${file}`)
    if (entry === undefined) throw new FormatError(`torch: a program without its ${JSON.stringify(`code/${file}`)}`)
    const bytes = await readSmallEntry(source, archive, entry, Math.min(largestCode, left))
    left -= bytes.length
    const module = file.slice(0, -'.py'.length).replaceAll('/', '.')
    for (const [name, one] of scriptClasses(Buffer.from(bytes).toString('utf8'))) classes.set(`${module}.${name}`, one)
  }
  return classes
}

interface LocatedTensor extends ListedTensor {
  readonly location: string
  readonly storage: string
}

function listed(name: string, tensor: TorchTensor, contents: TorchScriptContents): LocatedTensor {
  const { dtype, itemSize, shape } = tensor
  const bytes = shape.reduce((product, length) => product * length, itemSize)
  return {
    name,
    dtype: nameOfTorchDtype(dtype),
    shape,
    bytes,
    location: locationIn(tensor),
    storage: tensor.storage.key,
    open: () => valuesIn(contents, tensor, bytes),
  }
}

/** Names in one storage: tied weights, and views of one tensor. */
function withShared(tensors: readonly LocatedTensor[]): ListedTensor[] {
  const first = new Map<string, string>()
  const several = new Set<string>()
  for (const { name, storage } of tensors) {
    if (first.has(storage)) several.add(storage)
    else first.set(storage, name)
  }
  return tensors.map((tensor) => {
    const shared = several.has(tensor.storage) ? first.get(tensor.storage) : undefined
    return shared === undefined ? tensor : { ...tensor, shared }
  })
}
