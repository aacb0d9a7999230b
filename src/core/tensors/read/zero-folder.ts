/**
 * A folder of DeepSpeed's ZeRO: the float32 weights that training goes on with, put together from the files of all
 * processes (formats/torch/deepspeed-zero.ts).
 */
import { FormatError } from '../../errors.js'
import {
  planZero,
  readZeroModel,
  readZeroOptimizer,
  type ZeroModel,
  type ZeroOptimizer,
  type ZeroTensor,
} from '../../formats/torch/deepspeed-zero.js'
import type { ReadStorage } from '../../storage/storage.js'
import { folderFile, FolderFiles } from './folder-file.js'
import type { ListedTensor } from './listed-file.js'
import type { TensorFile } from './tensor.js'
import { inOrder, modelFile, openAll, sumOf, type Opened } from './zero-files.js'
import { describeZero, type Processes } from './zero-tensors.js'

/** deepspeed/runtime/engine.py, `_get_zero_ckpt_name`: with `bf16_` before it where the weights were bfloat16. */
const optimizerFile = /^(?:bf16_|fp16_)?zero_pp_rank_\d+_mp_rank_\d+_optim_states\.pt$/
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

/** Of tied ones each names the first, which is also named by itself. */
function describeAll(plan: readonly ZeroTensor[], processes: Processes): ListedTensor[] {
  const firsts = new Set(plan.map(({ tiedTo }) => tiedTo))
  return plan.map((tensor) => {
    const shared = tensor.tiedTo ?? (firsts.has(tensor.name) ? tensor.name : undefined)
    const described = describeZero(tensor, processes)
    return shared === undefined ? described : { ...described, shared, location: shared }
  })
}
