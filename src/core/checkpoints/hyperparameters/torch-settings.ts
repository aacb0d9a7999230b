/** Settings that programs pickled with torch.save: as an object of their own, or beside the weights. */
import { isMeta, OpaqueValue, type MetaValue } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { attributesOf, pairsOf } from '../../formats/pickle/attributes.js'
import type { PickleNode, PicklePair } from '../../formats/pickle/nodes.js'
import { PythonValues } from '../../formats/python/pickle-values.js'
import { openTorchObject } from '../../formats/torch/object.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'
import { toMetaValue } from '../meta/index.js'

/**
 * Under which names checkpoints have them: argparse's namespace (`args`, `opt`), fairseq's `cfg`, the `train_args` of
 * ultralytics, plain dicts.
 */
const keys = ['args', 'cfg', 'config', 'hparams', 'hyper_parameters', 'opt', 'train_args', 'training_args']

/** The attributes of an object, or the pairs of a dict, in the file (transformers/trainer.py, TRAINING_ARGS_NAME). */
export async function settingsIn(storage: ReadStorage, path: string): Promise<MetaValue> {
  return valuesOf(await rootOf(storage, path))
}

/** Those beside the weights, for each name that the file has; none of a file that cannot be read, which others report. */
export async function settingsBesideWeights(storage: ReadStorage, path: string): Promise<MetaValue[]> {
  try {
    const inside = new Map(pairsIn(await rootOf(storage, path)))
    return keys.map((key) => valuesOf(inside.get(key)))
  } catch (error) {
    if (error instanceof CkptError && error.code !== 'interrupted') return []
    throw error
  }
}

async function rootOf(storage: ReadStorage, path: string): Promise<PickleNode | undefined> {
  const handle = await storage.open(path)
  try {
    return (await openTorchObject(sourceOf(handle)))?.root
  } finally {
    await handle.close()
  }
}

function valuesOf(node: PickleNode | undefined): MetaValue {
  const values = new PythonValues()
  const found = new Map<string, MetaValue>()
  for (const [key, one] of pairsIn(node)) {
    const value = values.value(one)
    if (typeof key === 'string' && value !== undefined) found.set(key, withoutEnum(toMetaValue(value)))
  }
  return found
}

function pairsIn(node: PickleNode | undefined): readonly PicklePair[] {
  if (typeof node !== 'object' || node === null) return []
  return node.kind === 'object' || node.kind === 'call' ? attributesOf(node) : pairsOf(node)
}

/** A member of an enumeration, `transformers.trainer_utils.IntervalStrategy('steps')`, is its value; lists and dicts may have some. */
function withoutEnum(value: MetaValue): MetaValue {
  if (Array.isArray(value)) return value.map(withoutEnum)
  if (isMeta(value)) return new Map([...value].map(([key, one]) => [key, withoutEnum(one)]))
  if (!(value instanceof OpaqueValue)) return value
  const [, text, number] = /^[\w.]+\((?:'([^']*)'|(-?\d{1,15}(?:\.\d+)?))\)$/.exec(value.text) ?? []
  return number === undefined ? (text ?? value) : Number(number)
}
