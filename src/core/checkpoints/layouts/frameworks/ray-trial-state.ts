/**
 * What Ray Tune keeps of its trials in `experiment_state-<date>.json` (ray/tune/execution/tune_controller.py,
 * ray/tune/experiment/trial.py): of each two texts of JSON, and in the second, as a pickle in hexadecimal digits, the
 * manager of its checkpoints with the results of those that it keeps.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { FormatError } from '../../../errors.js'
import { parseJson } from '../../../formats/text/json.js'
import { attributesOf } from '../../../formats/pickle/attributes.js'
import { PythonValues } from '../../../formats/python/pickle-values.js'
import { itemsOf, readPickle, textOf, type PickleNode } from '../../../formats/pickle/index.js'
import { toMetaValue } from '../../meta/index.js'
import { valueIn } from '../engine/unit-paths.js'

export interface TrialState {
  /** The metric that it judges by; null for none: then the newest are kept. */
  readonly by: string | null
  readonly order: string | null
  /** By the name of a checkpoint's folder, what was reported with it; the best is the last. */
  readonly metrics: ReadonlyMap<string, Meta>
  /** What the trial goes on from. */
  readonly latest: string | null
}

/** A trial's manager has a few kB for each checkpoint that it keeps. */
const mostDigits = 16 << 20

/** Of the trial whose folder is so called; null where the file tells nothing of it. */
export function trialState(experiment: Meta, folder: string): TrialState | null {
  const trials = valueIn(experiment, 'trial_data')
  for (const trial of Array.isArray(trials) ? (trials as readonly MetaValue[]) : []) {
    const [text = null, runtime = null] = Array.isArray(trial) ? (trial as readonly MetaValue[]) : []
    // Which trial it is, is asked before any is parsed: there may be hundreds.
    if (typeof text !== 'string' || !text.includes(JSON.stringify(folder)) || typeof runtime !== 'string') continue
    const digits = valueIn(objectIn(runtime), ['checkpoint_manager', 'value'])
    if (typeof digits === 'string' && digits.length <= mostDigits) return managerIn(digits)
  }
  return null
}

function objectIn(text: string): MetaValue {
  try {
    return parseJson(new TextEncoder().encode(text))
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

function managerIn(digits: string): TrialState | null {
  try {
    const manager = attributesIn(readPickle(Buffer.from(digits, 'hex')).value)
    const config = attributesIn(manager.get('_checkpoint_config'))
    const results = itemsOf(manager.get('_checkpoint_results')) ?? []
    return {
      by: textOf(config.get('checkpoint_score_attribute')) ?? null,
      order: textOf(config.get('checkpoint_score_order')) ?? null,
      metrics: new Map(results.flatMap(resultIn)),
      latest: resultIn(manager.get('_latest_checkpoint_result') ?? null)[0]?.[0] ?? null,
    }
  } catch (error) {
    if (error instanceof FormatError) return null
    throw error
  }
}

function resultIn(node: PickleNode): [string, Meta][] {
  const result = attributesIn(node)
  const path = textOf(attributesIn(result.get('checkpoint')).get('path'))
  const value = new PythonValues().value(result.get('metrics') ?? null)
  const metrics = value === undefined ? null : toMetaValue(value)
  return path === undefined || !isMeta(metrics) ? [] : [[path.split('/').at(-1) ?? path, metrics]]
}

function attributesIn(node: PickleNode | undefined): ReadonlyMap<string, PickleNode> {
  if (typeof node !== 'object' || node === null || (node.kind !== 'object' && node.kind !== 'call')) return new Map()
  return new Map(attributesOf(node).flatMap(([key, value]) => (typeof key === 'string' ? [[key, value]] : [])))
}
