/**
 * What Lightning resumes from by itself (lightning/pytorch/trainer/connectors/checkpoint_connector.py,
 * `_parse_ckpt_path`, `_hpc_resume_path`; callbacks/model_checkpoint.py, `_find_last_checkpoints`).
 */
import type { OwnStart, PointerFix, Standing } from '../layout.js'
import { suffix } from './file-name.js'

export function resumesLightningFrom(there: readonly Standing[]): readonly OwnStart[] {
  return [lastStart(there), hpcStart(there)]
}

/** `ckpt_path="last"`: of the names in the callback's folder that begin with `last` the one written last. */
function lastStart(there: readonly Standing[]): OwnStart {
  const [last] = there
    .filter(({ name, isLeftover }) => isLast(name) && isLeftover !== true)
    .toSorted((a, b) => (b.modified ?? -Infinity) - (a.modified ?? -Infinity))
  return { by: 'ckpt_path="last"', takes: last?.name ?? null, stumblesOver: [] }
}

/** Unlike `isLast` in file-name.ts this is Lightning's own search, which only the beginning of a name matters to. */
function isLast(name: string): boolean {
  return !name.includes('/') && name.startsWith('last') && name.endsWith(suffix)
}

const hpc = 'hpc_ckpt_'

/**
 * Under Slurm, where no `ckpt_path` is given: the largest number behind `hpc_ckpt_` in the Trainer's root folder. A
 * name that has it and no number ends the search.
 */
function hpcStart(there: readonly Standing[]): OwnStart {
  const saved = there
    .map(({ name }) => name)
    .filter((name) => !name.includes('/') && name.includes(hpc))
    .map((name) => ({ name, number: (name.split(hpc).at(-1) ?? '').replaceAll(/\D/g, '') }))
  const numbers = saved.filter(({ number }) => number !== '').map(({ number }) => Number(number))
  const largest = `${hpc}${Math.max(...numbers)}${suffix}`
  return {
    by: 'the resume after a requeue by Slurm',
    takes: saved.some(({ name }) => name === largest) ? largest : null,
    stumblesOver: saved.filter(({ number }) => number === '').map(({ name }) => name),
  }
}

/** `last.ckpt` can be made to stand for any checkpoint of its folder; where the run has none, it is not wanted. */
export function lastPointersTo(chosen: Standing, there: readonly Standing[]): readonly PointerFix[] {
  if (chosen.name.includes('/') || !there.some(({ name }) => isLast(name))) return []
  return isLast(chosen.name) ? [] : [{ name: `last${suffix}`, to: chosen.name }]
}
