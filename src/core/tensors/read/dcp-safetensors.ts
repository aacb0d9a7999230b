/**
 * What HuggingFaceStorageWriter of torch.distributed.checkpoint writes with `save_distributed`: each process its parts of
 * the tensors under the tensors' names, in files of safetensors whose metadata says where each part begins
 * (torch/distributed/checkpoint/_hf_utils.py, `DCP_SHARDING_INFO`). They are put together as
 * `_consolidate_hf_safetensors.py` does: a tensor reaches as far as its parts do.
 */
import { FormatError } from '../../errors.js'
import { processPart } from '../../formats/safetensors/process-parts.js'
import type { ReadHandle, ReadStorage } from '../../storage/storage.js'
import { readOffsets } from './dcp-sharding-info.js'
import { folderFile, FolderFiles } from './folder-file.js'
import type { ListedTensor } from './listed-file.js'
import { openSafetensors } from './safetensors-file.js'
import { countOf, findUntiled, joinBoxes, type FilledBox } from './sharded-tensor.js'
import type { TensorFile, TensorInfo } from './tensor.js'

/** Those of a folder's names that are such files, in the order of their processes. */
export function dcpPartsAmong(names: readonly string[]): readonly string[] {
  return names.filter((name) => processPart(name) !== null).sort()
}

/**
 * Reads the headers of all parts. `folder` is absolute. Throws StorageError, and FormatError for parts that do not make up
 * their tensors.
 */
export async function openDcpSafetensors(
  storage: ReadStorage,
  folder: string,
  names: readonly string[],
): Promise<TensorFile> {
  requireAllProcesses(folder, names)
  const files = await FolderFiles.look(storage, folder, names, 'its list')
  try {
    const parts = new Map<string, Part[]>()
    for (const name of names) {
      for (const part of await partsIn(await files.handleOf(name))) {
        parts.set(part.tensor.name, [...(parts.get(part.tensor.name) ?? []), part])
      }
    }
    const tensors = [...parts].map(([name, ofTensor]) => joined(folder, name, ofTensor))
    return folderFile({ format: 'torch-dcp', files, tensors, unsafe: [], opaque: new Map() })
  } catch (error) {
    await files.close()
    throw error
  }
}

/** Nothing in the files says how many there are, but their numbers: from 1 on, without a gap. */
function requireAllProcesses(folder: string, names: readonly string[]): void {
  const parts = names.flatMap((name) => processPart(name) ?? [])
  const highest = parts.reduce((most, part) => Math.max(most, part.process), 0)
  const processes = new Set(parts.map((part) => part.process))
  for (let process = 1; process <= highest && process <= names.length + 1; process += 1) {
    if (!processes.has(process)) throw partial(folder, `the files of process ${process} are not there`)
  }
  const count = parts[0]?.files ?? 0
  const models = new Set(parts.map((part) => part.file))
  for (let model = 1; model <= count && model <= names.length + 1; model += 1) {
    if (!models.has(model)) throw partial(folder, `no file is number ${model} of ${count}`)
  }
}

function partial(folder: string, what: string): FormatError {
  return new FormatError(`${folder}: ${what}, and each has parts of the tensors`, {
    hint: 'copy the files of all processes into one folder',
  })
}

interface Part {
  readonly file: TensorFile
  readonly tensor: TensorInfo
  readonly offsets: readonly number[]
}

async function partsIn(handle: ReadHandle): Promise<Part[]> {
  const file = await openSafetensors(handle)
  const offsets = readOffsets(file)
  return file.tensors.map((tensor) => {
    const own = offsets.get(tensor.name)
    if (own?.length === tensor.shape.length) return { file, tensor, offsets: own }
    throw new FormatError(`${file.path}: does not say where its part of ${JSON.stringify(tensor.name)} begins`)
  })
}

function joined(folder: string, name: string, parts: readonly Part[]): ListedTensor {
  const [first] = parts
  const { dtype = '', shape: form = [] } = first?.tensor ?? {}
  const other = parts.find(({ tensor }) => tensor.dtype !== dtype || tensor.shape.length !== form.length)
  const boxes = parts.map((part): FilledBox => {
    return { offsets: part.offsets, sizes: part.tensor.shape.map(Number), open: () => part.file.dataOf(part.tensor) }
  })
  const shape = form.map((_, axis) =>
    boxes.reduce((most, { offsets, sizes }) => Math.max(most, (offsets[axis] ?? 0) + (sizes[axis] ?? 0)), 0),
  )
  const fault = other === undefined ? findUntiled(shape, boxes) : `its parts are ${dtype} and ${other.tensor.dtype}`
  if (fault !== undefined) throw new FormatError(`${folder}: tensor ${JSON.stringify(name)}: ${fault}`)
  const bytes = parts.reduce((sum, { tensor }) => sum + tensor.bytes, 0)
  const itemSize = bytes / Math.max(1, countOf(shape))
  const [only] = boxes
  return {
    name,
    dtype,
    shape,
    bytes,
    location: name,
    open: async () => (only !== undefined && boxes.length === 1 ? only.open() : joinBoxes(shape, itemSize, boxes)),
  }
}
