/**
 * What Lightning resumes from by itself (lightning/pytorch/trainer/connectors/checkpoint_connector.py,
 * `_parse_ckpt_path`, `_hpc_resume_path`; callbacks/model_checkpoint.py, `_find_last_checkpoints`).
 */
import { isMeta } from '../../../checkpoint.js'
import type { OwnStart, PointerFix, Standing } from '../layout.js'
import { lastPart } from '../engine/pointers.js'
import { isLast as endsWithLast, ownLastName, suffix } from './file-name.js'

export function resumesLightningFrom(there: readonly Standing[]): readonly OwnStart[] {
  return [lastStart(there), hpcStart(there), ...exceptionStart(there)]
}

/**
 * `ckpt_path="last"`: of the names in the callback's folder that begin with `last`, or its own `CHECKPOINT_NAME_LAST`, the
 * one written last.
 */
function lastStart(there: readonly Standing[]): OwnStart {
  const [last] = lastOnes(there)
    .filter(({ isLeftover }) => isLeftover !== true)
    .toSorted(newestFirst)
  // NeMo's `resume_if_exists` goes by what ends with `-last`.
  const mayFindMore = there.some(({ name }) => endsWithLast(name))
  return { by: 'ckpt_path="last"', takes: last?.name ?? null, stumblesOver: [], mayFindMore }
}

function lastOnes(there: readonly Standing[]): Standing[] {
  const begins = ownLastName(there.flatMap(lastNamesIn))?.slice(0, -suffix.length) ?? 'last'
  return there.filter(({ name }) => isLast(name, begins))
}

/** What its callback saves when a training fails, and removes when one ends (callbacks/on_exception_checkpoint.py). */
const onException = `on_exception${suffix}`

/** With that callback also a `fit` without `ckpt_path` takes the last ones, of which its file is one. */
function exceptionStart(there: readonly Standing[]): readonly OwnStart[] {
  const saved = there.filter(({ name, isLeftover }) => name === onException && isLeftover !== true)
  const [last] = [...saved, ...lastOnes(there)].toSorted(newestFirst)
  return saved.length === 0 ? [] : [{ by: 'OnExceptionCheckpoint', takes: last?.name ?? null, stumblesOver: [] }]
}

function newestFirst(a: Standing, b: Standing): number {
  return (b.modified ?? -Infinity) - (a.modified ?? -Infinity)
}

/** Unlike `isLast` in file-name.ts this is Lightning's own search, which only the beginning of a name matters to. */
function isLast(name: string, begins = 'last'): boolean {
  return !name.includes('/') && name.startsWith(begins) && name.endsWith(suffix)
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

/**
 * `last.ckpt` can be made to stand for any checkpoint of its folder. Where the run has none, it is wanted if a callback
 * has saved one: it was lost, and the job would begin anew.
 */
export function lastPointersTo(chosen: Standing, there: readonly Standing[]): readonly PointerFix[] {
  if (chosen.name.includes('/') || isLast(chosen.name)) return []
  const name = there.some((one) => isLast(one.name)) ? `last${suffix}` : lostLast(chosen, there)
  return name === null ? [] : [{ name, to: chosen.name }]
}

/** The last name that a callback gave, as the chosen one tells it, else any in its folder; null where none was given. */
function lostLast(chosen: Standing, there: readonly Standing[]): string | null {
  const beside = there.filter(({ name }) => !name.includes('/'))
  return [chosen, ...beside].flatMap(lastNamesIn).find((name) => isLast(name)) ?? null
}

/** `last_model_path` of its callbacks: empty until the first, which is saved behind the checkpoint of its step. */
function lastNamesIn({ meta }: Standing): string[] {
  const callbacks = meta.get('callbacks')
  if (!isMeta(callbacks)) return []
  return [...callbacks.values()].flatMap((one) => {
    const path = isMeta(one) ? one.get('last_model_path') : undefined
    return typeof path === 'string' ? [lastPart(path)] : []
  })
}
