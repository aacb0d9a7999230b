/** Files of DeepSpeed's ZeRO, opened: what each says, and where its tensors are. */
import { FormatError } from '../../errors.js'
import type { PickleNode } from '../../formats/pickle/index.js'
import { isLegacyStream } from '../../formats/torch-storages/legacy.js'
import type { ReadHandle } from '../../storage/storage.js'
import type { FolderFiles } from './folder-file.js'
import { readExactly, type TensorFile, type TensorInfo } from './tensor.js'
import { openTorchLegacy } from './torch-legacy-file.js'
import { openTorchZip } from './torch-zip.js'

/** How the names of files with the state of a model end. */
export const modelFile = '_model_states.pt'

/** As DeepSpeed's script sorts them: numbers by their values. */
export function inOrder(names: readonly string[]): string[] {
  const numbers = (name: string) => (name.match(/\d+/g) ?? []).map(Number)
  return names.toSorted((a, b) => {
    const [left, right] = [numbers(a), numbers(b)]
    const differing = left.findIndex((number, index) => number !== right[index])
    return differing < 0 ? a.localeCompare(b) : (left[differing] ?? 0) - (right[differing] ?? 0)
  })
}

/** A file of one process, and where its tensors are. */
export interface Opened<State> {
  readonly file: TensorFile
  readonly state: State
  readonly byNode: ReadonlyMap<PickleNode, TensorInfo>
}

export async function openAll<State>(
  files: FolderFiles,
  names: readonly string[],
  read: (root: PickleNode) => State,
): Promise<Opened<State>[]> {
  const opened: Opened<State>[] = []
  for (const name of names) opened.push(await openOne(await files.handleOf(name), read))
  return opened
}

async function openOne<State>(handle: ReadHandle, read: (root: PickleNode) => State): Promise<Opened<State>> {
  try {
    const file = await openTorch(handle)
    const { root, nodes } = (await file.structure?.()) ?? { root: null, nodes: new Map<string, PickleNode>() }
    const byNode = new Map(file.tensors.map((tensor) => [nodes.get(tensor.name) ?? null, tensor]))
    return { file, state: read(root), byNode }
  } catch (error) {
    if (!(error instanceof FormatError) || error.message.startsWith(handle.path)) throw error
    throw new FormatError(`${handle.path}: ${error.message}`, { cause: error })
  }
}

/** Of `torch.save`, in either of its formats. Throws FormatError. */
export async function openTorch(handle: ReadHandle): Promise<TensorFile> {
  const head = new Uint8Array(Math.min(64, handle.size))
  await readExactly(handle, head, 0)
  return isLegacyStream(head) ? openTorchLegacy(handle) : openTorchZip(handle)
}

/** Bytes of one element; of an empty tensor it does not matter. */
export function itemSizeOf({ bytes, shape }: TensorInfo): number {
  const count = shape.reduce<number>((product, size) => product * Number(size), 1)
  return count === 0 ? 1 : bytes / count
}

export function sumOf(files: readonly TensorFile[]): Map<string, number> {
  const sum = new Map<string, number>()
  for (const { opaque } of files) for (const [name, count] of opaque) sum.set(name, (sum.get(name) ?? 0) + count)
  return sum
}
