/**
 * A folder of DeepSpeed's ZeRO: the float32 weights that training goes on with, put together from the files of all
 * processes (formats/deepspeed-zero.ts).
 */
import { FormatError } from '../../errors.js'
import {
  planZero,
  readZeroModel,
  readZeroOptimizer,
  type ZeroModel,
  type ZeroOptimizer,
  type ZeroSlice,
  type ZeroTensor,
} from '../../formats/deepspeed-zero.js'
import type { PickleNode } from '../../formats/pickle/index.js'
import { isDtype, type Dtype } from '../../formats/safetensors.js'
import { isLegacyStream } from '../../formats/torch-legacy.js'
import { innermost } from '../../formats/torch-tensor.js'
import type { ReadHandle, ReadStorage } from '../../storage/storage.js'
import { isFloatDtype } from './dtype-name.js'
import { folderFile, FolderFiles } from './folder-file.js'
import type { ListedTensor } from './listed-file.js'
import { castTo, sliceOf } from './slices.js'
import { joinParts, readExactly, type TensorData, type TensorFile, type TensorInfo } from './tensor.js'
import { openTorchLegacy } from './torch-legacy-file.js'
import { openTorchZip } from './torch-zip.js'

/** deepspeed/runtime/engine.py, `_get_zero_ckpt_name`: with `bf16_` before it where the weights were bfloat16. */
const optimizerFile = /^(?:bf16_|fp16_)?zero_pp_rank_\d+_mp_rank_\d+_optim_states\.pt$/
const modelFile = '_model_states.pt'

/** Whether a folder with these names in it is one of ZeRO. */
export function isZeroFolder(names: Iterable<string>): boolean {
  const all = [...names]
  return all.some((name) => optimizerFile.test(name)) && all.some((name) => name.endsWith(modelFile))
}

/**
 * Reads the headers of the files of all processes. `folder` is absolute, `names` are those in it. Throws FormatError for
 * files that are missing or do not fit together, with the code `refused` for a model that was cut in other ways too.
 */
export async function openZeroFolder(
  storage: ReadStorage,
  folder: string,
  names: readonly string[],
): Promise<TensorFile> {
  const optimizers = inOrder(names.filter((name) => name.endsWith('_optim_states.pt')))
  const models = inOrder(names.filter((name) => name.endsWith(modelFile)))
  requireNoExperts(folder, names)
  const files = await FolderFiles.look(storage, folder, [...optimizers, ...models], 'its list')
  try {
    return await openFiles(files, optimizers, models)
  } catch (error) {
    await files.close()
    throw error
  }
}

async function openFiles(
  files: FolderFiles,
  optimizerNames: readonly string[],
  modelNames: readonly string[],
): Promise<TensorFile> {
  const optimizers = await openAll(files, optimizerNames, readZeroOptimizer)
  const { stage, partitions } = optimizers[0]?.state ?? { stage: 0, partitions: 0 }
  if (optimizers.length !== partitions) {
    throw new FormatError(
      `${files.folder}: has ${optimizers.length} files *_optim_states.pt, and the weights were shared among ${partitions} processes`,
      { hint: 'copy the files of all processes into one folder; what is missing: ckpt verify FOLDER' },
    )
  }
  const models = await openAll(files, modelsOf(files.folder, stage, partitions, modelNames), readZeroModel)
  const obstacle = models.find(({ state }) => state.obstacle !== undefined)?.state.obstacle
  if (obstacle !== undefined) throw refused(files.folder, obstacle)
  const plan = planOf(files.folder, models, optimizers)
  const all = [...models, ...optimizers]
  return folderFile({
    format: 'torch-zero',
    files,
    tensors: describeAll(plan, { models, optimizers }),
    values: models[0]?.file.values ?? null,
    findings: models[0] === undefined ? [] : tellLost(models[0].state, plan),
    unsafe: all.flatMap(({ file }) => file.unsafe.map((what) => `${file.path}: ${what}`)),
    opaque: sumOf(all.map(({ file }) => file)),
  })
}

/** Under stage 1 DeepSpeed notes no shapes of what is not trained, and its script leaves that out. */
function tellLost({ module }: ZeroModel, plan: readonly ZeroTensor[]): string[] {
  const there = new Set(plan.map(({ name }) => name))
  const lost = module.filter((name) => !there.has(name))
  if (lost.length === 0) return []
  const names = lost.slice(0, 3).map((name) => JSON.stringify(name))
  return [
    `${lost.length} tensors of the model are not among the float32 weights, ${names.join(', ')} first: they were not trained, and lie in *_model_states.pt alone`,
  ]
}

/** As DeepSpeed's script sorts them: numbers by their values. */
function inOrder(names: readonly string[]): string[] {
  const numbers = (name: string) => (name.match(/\d+/g) ?? []).map(Number)
  return names.toSorted((a, b) => {
    const [left, right] = [numbers(a), numbers(b)]
    const differing = left.findIndex((number, index) => number !== right[index])
    return differing < 0 ? a.localeCompare(b) : (left[differing] ?? 0) - (right[differing] ?? 0)
  })
}

/** deepspeed/runtime/engine.py: `_get_expert_ckpt_name`, `_get_optimizer_ckpt_name`, and the layers of a pipeline. */
function requireNoExperts(folder: string, names: readonly string[]): void {
  const odd = names.find((name) => /^(?:expp_rank|layer)_.*_states\.pt$/.test(name))
  if (odd !== undefined) {
    throw refused(
      folder,
      `${odd} holds layers or experts of its own, which no float32 weights in these files belong to`,
    )
  }
  const part = names.find((name) => /mp_rank_(?!00)\d+_\w+_states\.pt$/.test(name))
  if (part !== undefined) {
    throw refused(
      folder,
      `${part} is of a part of the model, and nothing in the files says along which axes it was cut`,
    )
  }
}

/** zero_to_fp32.py refuses these as well. */
function refused(folder: string, why: string): FormatError {
  return new FormatError(`${folder}: the float32 weights cannot be put together: ${why}`, {
    code: 'refused',
    hint: 'one file of it can be read by itself: name the file, or its --key',
  })
}

/** Stage 3 has one for each process, whose rest is cut; the others write one for all. */
function modelsOf(folder: string, stage: number, partitions: number, names: readonly string[]): string[] {
  const wanted = names.filter((name) => name.startsWith('zero_pp_rank_') === (stage === 3))
  const expected = stage === 3 ? partitions : 1
  if (wanted.length === expected) return wanted
  throw new FormatError(
    `${folder}: has ${wanted.length} files *_model_states.pt of stage ${stage}, and ${expected} are expected`,
    { hint: 'copy the files of all processes into one folder; what is missing: ckpt verify FOLDER' },
  )
}

/** A file of one process, and where its tensors are. */
interface Opened<State> {
  readonly file: TensorFile
  readonly state: State
  readonly byNode: ReadonlyMap<PickleNode, TensorInfo>
}

async function openAll<State>(
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
    const head = new Uint8Array(Math.min(64, handle.size))
    await readExactly(handle, head, 0)
    const file = await (isLegacyStream(head) ? openTorchLegacy(handle) : openTorchZip(handle))
    const { root, nodes } = (await file.structure?.()) ?? { root: null, nodes: new Map<string, PickleNode>() }
    const byNode = new Map(file.tensors.map((tensor) => [nodes.get(tensor.name) ?? null, tensor]))
    return { file, state: read(root), byNode }
  } catch (error) {
    if (!(error instanceof FormatError) || error.message.startsWith(handle.path)) throw error
    throw new FormatError(`${handle.path}: ${error.message}`, { cause: error })
  }
}

function planOf(
  folder: string,
  models: readonly Opened<ZeroModel>[],
  optimizers: readonly Opened<ZeroOptimizer>[],
): ZeroTensor[] {
  const stateOf = <State>({ state }: Opened<State>): State => state
  try {
    return planZero(models.map(stateOf), optimizers.map(stateOf))
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new FormatError(`${folder}: ${error.message}`, { cause: error })
  }
}

interface Processes {
  readonly models: readonly Opened<ZeroModel>[]
  readonly optimizers: readonly Opened<ZeroOptimizer>[]
}

/** Of tied ones each names the first, which is also named by itself. */
function describeAll(plan: readonly ZeroTensor[], processes: Processes): ListedTensor[] {
  const firsts = new Set(plan.map(({ tiedTo }) => tiedTo))
  return plan.map((tensor) => {
    const shared = tensor.tiedTo ?? (firsts.has(tensor.name) ? tensor.name : undefined)
    const described = describe(tensor, processes)
    return shared === undefined ? described : { ...described, shared, place: shared }
  })
}

function describe({ name, shape, slices }: ZeroTensor, processes: Processes): ListedTensor {
  const count = shape.reduce((product, size) => product * size, 1)
  const [first] = slices()
  const own = first === undefined ? 'F32' : dtypeOf(first, processes)
  const dtype = isFloatDtype(own) ? 'F32' : own
  return {
    name,
    dtype,
    shape,
    bytes: count * (isFloatDtype(own) ? 4 : sizeOf(first, processes)),
    place: name,
    open: async () => joinParts(slices().map((slice) => partOf(slice, processes, dtype))),
  }
}

function partOf(slice: ZeroSlice, processes: Processes, dtype: string) {
  const info = tensorOf(slice, processes)
  const size = itemSizeOf(info)
  const cast = isDtype(info.dtype) && isDtype(dtype) ? { from: info.dtype, to: dtype } : null
  const each = cast !== null && cast.from !== cast.to ? 4 : size
  return {
    length: slice.count * each,
    open: async (): Promise<TensorData> => {
      const data = await fileOf(slice, processes).file.dataOf(info)
      const part = sliceOf(data, slice.offset * size, slice.count * size)
      return cast === null ? part : castTo(part, cast.from, cast.to satisfies Dtype)
    },
  }
}

function fileOf({ rank, from }: ZeroSlice, { models, optimizers }: Processes): Opened<unknown> {
  const opened = from === 'model' ? models[rank] : optimizers[rank]
  if (opened === undefined) throw new RangeError(`there is no process ${rank}`)
  return opened
}

function tensorOf(slice: ZeroSlice, processes: Processes): TensorInfo {
  const { file, byNode } = fileOf(slice, processes)
  const info = byNode.get(innermost(slice.node))
  if (info === undefined) throw new FormatError(`${file.path}: a piece of the weights is not among its tensors`)
  return info
}

function dtypeOf(slice: ZeroSlice, processes: Processes): string {
  return tensorOf(slice, processes).dtype
}

function sizeOf(slice: ZeroSlice | undefined, processes: Processes): number {
  return slice === undefined ? 4 : itemSizeOf(tensorOf(slice, processes))
}

/** Bytes of one element; of an empty tensor it does not matter. */
function itemSizeOf({ bytes, shape }: TensorInfo): number {
  const count = shape.reduce<number>((product, size) => product * Number(size), 1)
  return count === 0 ? 1 : bytes / count
}

function sumOf(files: readonly TensorFile[]): Map<string, number> {
  const sum = new Map<string, number>()
  for (const { opaque } of files) for (const [name, count] of opaque) sum.set(name, (sum.get(name) ?? 0) + count)
  return sum
}
