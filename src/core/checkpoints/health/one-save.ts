/** Whether what the processes of DeepSpeed wrote into one folder is of one and the same save. */
import type { Finding } from '../../checkpoint.js'
import { itemsOf, type PickleNode } from '../../formats/pickle/index.js'
import type { TorchObject } from '../../formats/torch/object.js'
import { groupBy } from '../../grouped.js'
import type { ReadStorage } from '../../storage/storage.js'
import { batches, type MeasuredFile } from '../layouts/index.js'
import { lookInto, mostNamed, valueOf } from './process-files.js'

/** Files that are read together. */
const atOnce = 16
/** Of one optimizer: in stage 3 each of its parts has a state, and all take their steps together. */
const mostStates = 64

interface Stepped {
  readonly file: MeasuredFile
  readonly step: number
}

/**
 * Those of `files`, which are of one kind and one for each process, that say another step than most of the others. All
 * processes step together, an overflow is skipped by all (deepspeed/runtime/engine.py, `_take_model_step`), and each
 * writes its own file: a tag that is saved anew and cut off has files of two saves.
 */
export async function inspectOneSave(storage: ReadStorage, files: readonly MeasuredFile[]): Promise<Finding[]> {
  const there = files.filter(({ stat }) => stat?.kind === 'file' && stat.size > 0)
  if (there.length < 2) return []
  const stepped: Stepped[] = []
  for (const some of batches(there, atOnce)) {
    const steps = await Promise.all(some.map(({ path }) => lookInto(storage, path, stepIn)))
    for (const [index, file] of some.entries()) {
      const step = steps[index]
      if (step !== undefined) stepped.push({ file, step })
    }
  }
  const usual = mostCommon(stepped)
  if (usual === undefined) return []
  const others = stepped.filter(({ step }) => step !== usual.step)
  return others.slice(0, mostNamed).map(({ file, step }): Finding => {
    const reason = `another save's: it is of step ${step}, and ${usual.file.name} of step ${usual.step}`
    return { grade: 'corrupt', file: file.name, reason }
  })
}

/** The first file of those that agree with the most; of as many, of the highest step. */
function mostCommon(stepped: readonly Stepped[]): Stepped | undefined {
  const groups = groupBy(stepped, ({ step }) => step)
  const [first] = [...groups.values()].sort((a, b) => b.length - a.length || (b[0]?.step ?? 0) - (a[0]?.step ?? 0))
  return first?.[0]
}

/** The model's states say it as `global_steps`; those of an optimizer have a `step` of its own, if it counts any. */
async function stepIn(object: TorchObject): Promise<number | undefined> {
  const global = await object.numberOf(valueOf(object.root, 'global_steps'))
  if (global !== undefined) return global
  const partitioned = valueOf(object.root, 'optimizer_state_dict')
  // Stages 1 and 2 (stage_1_and_2.py, `state_dict`), and stage 3 (stage3.py, `_rigid_state_dict`).
  const optimizer = valueOf(partitioned, 'base_optimizer_state') ?? valueOf(partitioned, 'optimizer_state_dict')
  let highest: number | undefined
  for (const state of statesOf(optimizer).slice(0, mostStates)) {
    const step = await object.numberOf(valueOf(state, 'step'))
    if (step !== undefined && step > (highest ?? Number.NEGATIVE_INFINITY)) highest = step
  }
  return highest
}

/** torch.optim counts in the state of each parameter, apex's and DeepSpeed's fused ones in the group. */
function statesOf(optimizer: PickleNode | undefined): readonly PickleNode[] {
  const groups = itemsOf(valueOf(optimizer, 'param_groups')) ?? []
  const states = valueOf(optimizer, 'state')
  const ofParameters =
    typeof states === 'object' && states !== null && 'entries' in states ? states.entries.map(([, state]) => state) : []
  return [...groups, ...ofParameters]
}
