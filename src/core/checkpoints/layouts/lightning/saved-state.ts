/**
 * The facts that lie in a checkpoint's pickle (lightning/pytorch/trainer/connectors/checkpoint_connector.py,
 * `dump_checkpoint`), as plain data that scans remember. Headers and a few single numbers are read, never a tensor.
 */
import { isMeta, type Meta, type MetaValue, type TrainingMarks } from '../../../checkpoint.js'
import { crc32 } from '../../../formats/bytes/crc32.js'
import { textOf, type PickleNode } from '../../../formats/pickle/index.js'
import { PythonValues } from '../../../formats/python/pickle-values.js'
import type { TorchObject } from '../../../formats/torch/object.js'
import { tensorOf } from '../../../formats/torch/tensor.js'
import { toMetaValue } from '../../meta/index.js'
import { entriesOf, isTensor, nodeAt, valueAt } from '../engine/pickle-paths.js'
import { hasBeside } from '../engine/names-beside.js'
import type { FileLook, LayoutIo, Question, Unit } from '../spec.js'
import {
  callbackFact,
  callbackIn,
  isNumberOrNull,
  isTextOrNull,
  readCallbacks,
  textsIn,
  type CheckpointCallback,
} from './callbacks.js'

export interface SavedState {
  readonly step: number | null
  readonly epoch: number | null
  readonly version: string | null
  readonly hyperParameters: MetaValue | undefined
  readonly callbacks: readonly CheckpointCallback[]
  /** Equal for equal weights; null where the file has no checksums to tell by, or nothing asked. */
  readonly weights: string | null
  /** As of `TrainingMarks`; null where its loops do not tell (before 1.5). */
  readonly epochStart: NonNullable<TrainingMarks['epochStart']> | null
  /** Keys at the top: `state_dict`, `optimizer_states`, … */
  readonly contents: readonly string[]
}

/** What a file's facts say: step, epoch and hyper-parameters by their names, and all of it for `stateOf`. */
export async function savedFacts(look: FileLook, { name, folder }: Unit): Promise<Meta> {
  const fact = await look.answer(stateQuestion(name, hasBeside(folder, lastName)))
  const hyperParameters = fact.get('hyperParameters')
  return new Map<string, MetaValue>([
    ['step', fact.get('step') ?? null],
    ['epoch', fact.get('epoch') ?? null],
    ...(hyperParameters === undefined ? [] : [['hyper_parameters', hyperParameters] as const]),
    ['#saved', fact],
  ])
}

/** Where one is called the last, another is the same state: whether it is, the weights tell. */
const lastName = /(?:^last(?![a-z]).*|[-_.]last(?:-v\d+)?)\.ckpt$/

/** Asked again where the weights were not. */
export async function weightsOf(look: FileLook, name: string): Promise<string | null> {
  return savedStateIn(await look.answer(stateQuestion(name, true)))?.weights ?? null
}

/** As a save leaves it that was cut off by a crash of the machine. */
export async function beginsWithZeros(io: LayoutIo, path: string): Promise<boolean> {
  return (await (await io.look(path)).head()).every((byte) => byte === 0)
}

/** What is known of a unit's state; null where nothing of it could be read. */
export function stateOf(facts: Meta): SavedState | null {
  return savedStateIn(facts.get('#saved'))
}

/** `name` is the file's, relative to its run; `withWeights`: another name of the same state is looked for. */
function stateQuestion(name: string, withWeights: boolean): Question<Meta> {
  return {
    text: `lightning ${withWeights ? 'with weights' : 'alone'} as ${name}`,
    fits: (value): value is Meta => savedStateIn(value) !== null,
    ask: async ({ torch }) => (torch === null ? new Map() : interpret(torch, name, withWeights)),
  }
}

/** Tensors of which the sum is made unasked: that takes less than to open the file again where it is asked for later. */
const fewTensors = 32

/** A `SavedState` as plain data. */
async function interpret(object: TorchObject, name: string, withWeights: boolean): Promise<Meta> {
  const { root } = object
  const isSummed = withWeights || entriesOf(valueAt(root, 'state_dict')).length <= fewTensors
  const numberAt = async (key: string) => (await object.numberOf(valueAt(root, key))) ?? null
  const callbacks = [...(await readCallbacks(object, valueAt(root, 'callbacks'), name)), ...(await oldCallback(object))]
  const hyperParameters = hyperParametersOf(valueAt(root, 'hyper_parameters') ?? valueAt(root, 'hparams'))
  return new Map<string, MetaValue>([
    ['step', await numberAt('global_step')],
    ['epoch', await numberAt('epoch')],
    ['version', textOf(valueAt(root, 'pytorch-lightning_version')) ?? null],
    ...(hyperParameters === undefined ? [] : [['hyperParameters', hyperParameters] as const]),
    ['callbacks', callbacks.map(callbackFact)],
    ['weights', isSummed ? sumOfWeights(object) : null],
    ['epochStart', await epochStartOf(object)],
    ['contents', entriesOf(root).flatMap(([key]) => textOf(key) ?? [])],
  ])
}

/** lightning/pytorch/loops/progress.py: of batches all and those of the epoch, of epochs those begun. */
async function epochStartOf(object: TorchObject): Promise<MetaValue> {
  const loop = nodeAt(object.root, ['loops', 'fit_loop'])
  const countAt = (...path: string[]) => object.numberOf(nodeAt(loop, path))
  const all = await countAt('epoch_loop.batch_progress', 'total', 'ready')
  const current = await countAt('epoch_loop.batch_progress', 'current', 'ready')
  const begun = await countAt('epoch_progress', 'current', 'ready')
  if (all == null || current == null || begun == null || begun < 1) return null
  return [begun - 1, all - current]
}

/** Before 1.0 the callback's facts lay beside the others, without its monitor. */
async function oldCallback(object: TorchObject): Promise<CheckpointCallback[]> {
  const bestPath = textOf(valueAt(object.root, 'checkpoint_callback_best_model_path'))
  if (bestPath === undefined) return []
  const bestScore = (await object.numberOf(valueAt(object.root, 'checkpoint_callback_best_model_score'))) ?? null
  const unknown = { monitor: null, mode: null, lastPath: '', folder: '', currentScore: null, own: null, kept: [] }
  return [{ key: 'ModelCheckpoint', bestPath, bestScore, ...unknown }]
}

const mostValues = 20_000

function hyperParametersOf(node: PickleNode | undefined): MetaValue | undefined {
  if (node === undefined) return undefined
  const values = new PythonValues({ most: mostValues, replace: (one) => (isTensor(one) ? null : undefined) })
  const value = values.value(node)
  return value === undefined ? undefined : toMetaValue(value)
}

/** The checksums that the archive has for the storages of the `state_dict`, together. */
function sumOfWeights(object: TorchObject): string | null {
  const sums: string[] = []
  for (const [key, node] of entriesOf(valueAt(object.root, 'state_dict'))) {
    const tensor = tensorOf(node)
    if (tensor === undefined || !('storage' in tensor)) continue
    const sum = object.checksumOf(tensor.storage.key)
    if (sum === null) return null
    sums.push(`${textOf(key) ?? ''} ${tensor.offset} ${tensor.shape.join('x')} ${sum}`)
  }
  return sums.length === 0 ? null : `${sums.length}:${crc32(new TextEncoder().encode(sums.join('\n')), 0)}`
}

/** Null for what `interpret` never gives. */
function savedStateIn(fact: MetaValue | undefined): SavedState | null {
  if (!isMeta(fact)) return null
  const [step, epoch] = [fact.get('step'), fact.get('epoch')]
  const [version, weights] = [fact.get('version'), fact.get('weights')]
  const epochStart = epochStartIn(fact.get('epochStart'))
  const [contents, callbacks] = [textsIn(fact.get('contents')), callbacksIn(fact.get('callbacks'))]
  if (!isNumberOrNull(step) || !isNumberOrNull(epoch) || !isTextOrNull(version) || !isTextOrNull(weights)) return null
  if (contents === null || callbacks === null || epochStart === undefined) return null
  return {
    step,
    epoch,
    version,
    weights,
    epochStart,
    contents,
    callbacks,
    hyperParameters: fact.get('hyperParameters'),
  }
}

/** Undefined for what it never is. */
function epochStartIn(fact: MetaValue | undefined): SavedState['epochStart'] | undefined {
  if (fact === null) return null
  if (!Array.isArray(fact)) return undefined
  const [epoch, batches] = fact as readonly (MetaValue | undefined)[]
  return typeof epoch === 'number' && typeof batches === 'number' ? { epoch, batches } : undefined
}

function callbacksIn(fact: MetaValue | undefined): CheckpointCallback[] | null {
  if (!Array.isArray(fact)) return null
  const callbacks = (fact as readonly MetaValue[]).map(callbackIn)
  return callbacks.every((one) => one !== null) ? callbacks : null
}
