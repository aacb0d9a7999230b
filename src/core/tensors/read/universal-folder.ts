/**
 * A folder of DeepSpeed's universal checkpoint (deepspeed/checkpoint/ds_to_universal.py): the float32 weights of each
 * parameter in a file of its own, `zero/NAME/fp32.pt`, put together from the pieces of all processes, also where the model
 * itself was cut. Under stages 1 and 2 it is `{'param': tensor, …}`, under stage 3 the tensor alone, laid flat.
 */
import { FormatError } from '../../errors.js'
import { planFrozen, readZeroModel, type ZeroModel, type ZeroTensor } from '../../formats/torch/deepspeed-zero.js'
import { isDtype } from '../../formats/safetensors/safetensors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { isFloatDtype } from './dtype-name.js'
import { folderFile, FolderFiles } from './folder-file.js'
import type { ListedTensor } from './listed-file.js'
import { castTo } from './slices.js'
import type { TensorFile, TensorInfo } from './tensor.js'
import { inOrder, modelFile, openAll, openTorch, sumOf, type Opened } from './zero-files.js'
import { describeZero } from './zero-tensors.js'

/** What holds a folder for each parameter. */
const weightsFolder = 'zero'
const weightsFile = 'fp32.pt'

/** Whether a folder with these names in it is one of them. */
export function isUniversalFolder(names: readonly string[]): boolean {
  return names.includes(weightsFolder) && names.some((name) => name.endsWith(modelFile))
}

/**
 * Reads the headers of all its files. `folder` is absolute, `names` are those in it. Throws StorageError, and
 * FormatError for files that are missing or do not fit together.
 */
export async function openUniversalFolder(
  storage: ReadStorage,
  folder: string,
  names: readonly string[],
): Promise<TensorFile> {
  const models = inOrder(names.filter((name) => name.endsWith(modelFile)))
  const parameters = await listParameters(storage, folder)
  const files = await FolderFiles.look(storage, folder, [...models, ...parameters.map(fileOf)], 'its list')
  try {
    return await openFiles(files, models, parameters)
  } catch (error) {
    await files.close()
    throw error
  }
}

function fileOf(parameter: string): string {
  return `${weightsFolder}/${parameter}/${weightsFile}`
}

async function listParameters(storage: ReadStorage, folder: string): Promise<string[]> {
  const [listed] = await storage.list([`${folder}/${weightsFolder}`])
  if (listed?.ok === false) throw listed.error
  const found = listed?.value.flatMap(({ name, kind }) => (kind === 'directory' ? [name] : [])) ?? []
  if (found.length > 0) return found.sort()
  throw new FormatError(`${folder}/${weightsFolder}: has no folder of a parameter, and its weights lie in one for each`)
}

async function openFiles(
  files: FolderFiles,
  modelNames: readonly string[],
  parameters: readonly string[],
): Promise<TensorFile> {
  const models = await openAll(files, modelNames, readZeroModel)
  const shapes = new Map(models.flatMap(({ state }) => state.shapes.flatMap((group) => [...group])))
  const trained = new Map<string, ListedTensor>()
  const unsafe: string[] = []
  for (const name of inTheirOrder(parameters, shapes)) {
    const file = await openWeights(files, name)
    unsafe.push(...file.unsafe.map((what) => `${file.path}: ${what}`))
    trained.set(name, describe(name, file, shapes.get(name)))
  }
  const others = beside(files.folder, models, trained)
  // A buffer has its own dtype there, and may be a float here.
  for (const [name] of others) trained.delete(name)
  return folderFile({
    format: 'torch-zero',
    files,
    tensors: withTies(models, new Map([...others, ...trained])),
    values: models[0]?.file.values ?? null,
    unsafe: [...models.flatMap(({ file }) => file.unsafe.map((what) => `${file.path}: ${what}`)), ...unsafe],
    opaque: sumOf(models.map(({ file }) => file)),
  })
}

/** As the model has them; those that it does not tell of come last. */
function inTheirOrder(parameters: readonly string[], shapes: ReadonlyMap<string, unknown>): string[] {
  const there = new Set(parameters)
  return [...[...shapes.keys()].filter((name) => there.has(name)), ...parameters.filter((name) => !shapes.has(name))]
}

async function openWeights(files: FolderFiles, parameter: string): Promise<TensorFile> {
  const handle = await files.handleOf(fileOf(parameter))
  try {
    return await openTorch(handle)
  } catch (error) {
    if (!(error instanceof FormatError) || error.message.startsWith(handle.path)) throw error
    throw new FormatError(`${handle.path}: ${error.message}`, { cause: error })
  }
}

function describe(name: string, file: TensorFile, logical: readonly number[] | undefined): ListedTensor {
  const [tensor, ...others] = file.tensors
  if (tensor === undefined || others.length > 0) {
    throw new FormatError(`${file.path}: holds ${file.tensors.length} tensors, and the weights of a parameter are one`)
  }
  const { dtype: own } = tensor
  const dtype = isFloatDtype(own) ? 'F32' : own
  const shape = shapeOf(file.path, tensor, logical)
  const isCast = isDtype(own) && isDtype(dtype) && own !== dtype
  return {
    name,
    dtype,
    shape,
    bytes: isCast ? 4 * elementsOf(shape) : tensor.bytes,
    location: name,
    open: async () => {
      const data = await file.dataOf(tensor)
      return isCast ? castTo(data, own, dtype) : data
    },
  }
}

/** Where the model was cut its shapes are those of pieces, and that of the file is the whole one. */
function shapeOf(path: string, { shape }: TensorInfo, logical: readonly number[] | undefined): readonly number[] {
  const there = elementsOf(shape)
  if (shape.length !== 1 || logical === undefined || logical.length === 1) return shape.map(Number)
  if (elementsOf(logical) === there) return logical
  throw new FormatError(`${path}: has ${there} elements, and the parameter is [${logical.join(', ')}]`)
}

/** Buffers, and parameters that were not trained: they lie in the states of the model. */
function beside(
  folder: string,
  models: readonly Opened<ZeroModel>[],
  trained: ReadonlyMap<string, unknown>,
): [string, ListedTensor][] {
  let plan: ZeroTensor[]
  try {
    plan = planFrozen(models.map(({ state }) => state), (name) => !trained.has(name)) // prettier-ignore
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    throw new FormatError(`${folder}: ${error.message}`, { cause: error })
  }
  return plan.map((tensor) => [tensor.name, describeZero(tensor, { models, optimizers: [] })])
}

/** Further names of a parameter are copies in another precision, where they are there at all. */
function withTies(
  models: readonly Opened<ZeroModel>[],
  tensors: ReadonlyMap<string, ListedTensor>,
): readonly ListedTensor[] {
  const all = new Map(tensors)
  for (const [name, tiedTo] of models.flatMap(({ state }) => [...state.ties])) {
    const first = all.get(tiedTo)
    if (first === undefined || name === tiedTo) continue
    const shared = first.shared ?? tiedTo
    const location = first.location ?? tiedTo
    all.set(tiedTo, { ...first, shared, location })
    all.set(name, { ...first, name, shared, location })
  }
  return [...all.values()]
}

function elementsOf(shape: TensorInfo['shape']): number {
  return shape.reduce<number>((product, size) => product * Number(size), 1)
}
