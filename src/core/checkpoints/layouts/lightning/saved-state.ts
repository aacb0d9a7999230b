/**
 * The facts that lie in a checkpoint's pickle (lightning/pytorch/trainer/connectors/checkpoint_connector.py,
 * `dump_checkpoint`). Headers and a few single numbers are read, never a tensor.
 */
import type { MetaValue } from '../../../checkpoint.js'
import type { ByteSource } from '../../../formats/byte-source.js'
import { crc32 } from '../../../formats/crc32.js'
import { auditPickle, textOf, type PickleNode } from '../../../formats/pickle/index.js'
import { PythonValues } from '../../../formats/pickle-values.js'
import { isText } from '../../../formats/text.js'
import { describeCut } from '../../../formats/torch-cut.js'
import { openTorchObject, type TorchObject } from '../../../formats/torch-object.js'
import { tensorOf } from '../../../formats/torch-tensor.js'
import { ZipEndMissing } from '../../../formats/zip.js'
import { FormatError } from '../../../errors.js'
import { toMetaValue } from '../../meta/index.js'
import { readCallbacks, type CheckpointCallback } from './callbacks.js'
import { entriesOf, isTensor, valueAt } from '../engine/pickle-paths.js'

export interface SavedState {
  readonly step: number | null
  readonly epoch: number | null
  readonly version: string | null
  readonly hyperParameters: MetaValue | undefined
  readonly callbacks: readonly CheckpointCallback[]
  /** Equal for equal weights; null where the file has no checksums to tell by, or nothing asked. */
  readonly weights: string | null
  /** Keys at the top: `state_dict`, `optimizer_states`, … */
  readonly contents: readonly string[]
}

/** What a file turned out to be. */
export type Reading =
  | { readonly kind: 'state'; readonly state: SavedState }
  /** One of torch's files, or nearly one, that cannot be read or would run code: what is wrong with it. */
  | { readonly kind: 'broken'; readonly reason: string }
  /** It may be one: the system refused to read it. */
  | { readonly kind: 'unreadable'; readonly reason: string }
  | { readonly kind: 'foreign'; readonly bytes: Foreign }

/** Something else: another file of torch's, one that begins with zeros alone, text, a folder, nothing, or none of these. */
export type Foreign = 'torch' | 'blank' | 'text' | 'folder' | 'gone' | 'other'

export interface ReadRequest {
  /** The file's, relative to its run. */
  readonly name: string
  /** Whether another name of the same state is looked for. */
  readonly withWeights: boolean
}

/** Throws StorageError. */
export async function readSavedState(source: ByteSource, request: ReadRequest): Promise<Reading> {
  if (source.byteLength === 0) return { kind: 'broken', reason: '0 bytes' }
  try {
    const object = await openTorchObject(source)
    if (object === null) return { kind: 'foreign', bytes: await foreignOf(source) }
    if (isLightning(object.root)) return { kind: 'state', state: await interpret(object, request) }
    const [unsafe] = auditPickle(object.calls).unsafe
    if (unsafe === undefined) return { kind: 'foreign', bytes: 'torch' }
    return { kind: 'broken', reason: `unsafe: its pickle ${unsafe}, which loading it with Python would run` }
  } catch (error) {
    if (error instanceof ZipEndMissing) return { kind: 'broken', reason: await describeCut(source) }
    if (error instanceof FormatError) return { kind: 'broken', reason: error.message }
    throw error
  }
}

async function foreignOf(source: ByteSource): Promise<Foreign> {
  const head = await source.read(0, 512)
  if (head.every((byte) => byte === 0)) return 'blank'
  return isText(head) ? 'text' : 'other'
}

/** Since 0.8 there is the version; before it the names were already these. */
function isLightning(root: PickleNode): boolean {
  const keys = new Set(entriesOf(root).map(([key]) => textOf(key)))
  if (keys.has('pytorch-lightning_version')) return true
  const isOld = ['optimizer_states', 'checkpoint_callback_best_model_path', 'checkpoint_callback_best'].some((key) =>
    keys.has(key),
  )
  return isOld && keys.has('state_dict') && keys.has('epoch') && keys.has('global_step')
}

async function interpret(object: TorchObject, { name, withWeights }: ReadRequest): Promise<SavedState> {
  const { root } = object
  const numberAt = async (key: string) => (await object.numberOf(valueAt(root, key))) ?? null
  return {
    step: await numberAt('global_step'),
    epoch: await numberAt('epoch'),
    version: textOf(valueAt(root, 'pytorch-lightning_version')) ?? null,
    hyperParameters: hyperParametersOf(valueAt(root, 'hyper_parameters') ?? valueAt(root, 'hparams')),
    callbacks: [...(await readCallbacks(object, valueAt(root, 'callbacks'), name)), ...(await oldCallback(object))],
    weights: withWeights ? weightsOf(object) : null,
    contents: entriesOf(root).flatMap(([key]) => textOf(key) ?? []),
  }
}

/** Before 1.0 the callback's facts lay beside the others, without its monitor. */
async function oldCallback(object: TorchObject): Promise<CheckpointCallback[]> {
  const bestPath = textOf(valueAt(object.root, 'checkpoint_callback_best_model_path'))
  if (bestPath === undefined) return []
  const bestScore = (await object.numberOf(valueAt(object.root, 'checkpoint_callback_best_model_score'))) ?? null
  const unknown = { monitor: null, mode: null, lastPath: '', folder: '', currentScore: null, own: null }
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
function weightsOf(object: TorchObject): string | null {
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
