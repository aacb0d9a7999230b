/**
 * What MMEngine's validations gave, from the histories that each checkpoint has of them (mmengine/logging/message_hub.py,
 * history_buffer.py): one without its log, saved into another folder (`out_dir` of CheckpointHook), has its metrics in
 * those that were saved after it. A file is saved before the validation of its own epoch or iteration; but behind it what
 * `save_best` saves, and the file of the same epoch, which is then saved again (hooks/checkpoint_hook.py,
 * `_save_best_checkpoint`).
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import type { FileLook, Question, Unit } from '../spec.js'

const scalars = ['message_hub', 'log_scalars'] as const

/** Values of a history that are looked at: the last ones. */
const mostValues = 512

/** Where a training was when it saved: `train`, or `val` behind a validation. */
const stage = ['message_hub', 'runtime_info', 'loop_stage'] as const

/** By metric, how many validations there had been, and the last values; and the stage. */
const histories: Question<Meta> = {
  text: 'histories of mmengine',
  fits: isMeta,
  ask: async (file) => {
    const found = new Map<string, MetaValue>([[stageKey, (await file.torchValue(stage)) ?? null]])
    for (const key of file.torchKeys(scalars)) {
      if (!key.startsWith('val/') || notMetrics.test(key.slice(4))) continue
      const values = await file.torchValue([...scalars, key, '_log_history'])
      if (Array.isArray(values)) found.set(key.slice(4), [values.length, values.slice(-mostValues)])
    }
    return found
  },
}

const stageKey = '#stage'

export const notMetrics = /^(mode|epoch|iter|lr|data_time|time|memory|eta)$/

/** How many validations there had been, of which metrics, and what the last gave where that is the file's own. */
export async function validationsIn(look: FileLook, { name }: Unit): Promise<Meta> {
  const values = await look.answer(histories)
  const known = values.get(stageKey)
  const isBehind = typeof known === 'string' ? known === 'val' : name.startsWith('best_')
  const metrics = metricsIn(values)
  const facts = new Map<string, MetaValue>([['#histories', values]])
  if (metrics.length > 0) facts.set('#metrics', metrics)
  for (const metric of metrics) {
    const history = historyOf(values, metric)
    if (history === null) continue
    facts.set(isBehind ? '#validations' : '#validations before', history.count)
    const last = history.values.at(-1)
    if (isBehind && typeof last === 'number') facts.set(metric, last)
  }
  return facts
}

function metricsIn(histories: MetaValue | undefined): string[] {
  return isMeta(histories) ? [...histories.keys()].filter((key) => key !== stageKey) : []
}

interface History {
  readonly count: number
  readonly values: readonly MetaValue[]
}

function historyOf(histories: MetaValue | undefined, metric: string): History | null {
  const counted = isMeta(histories) ? histories.get(metric) : undefined
  const [count, values] = Array.isArray(counted) ? (counted as readonly MetaValue[]) : []
  return typeof count === 'number' && Array.isArray(values) ? { count, values: values as readonly MetaValue[] } : null
}

/** A history, and the epoch or iteration up to which it goes. */
interface Reach extends History {
  readonly upTo: number
}

/** The metrics of each checkpoint from the histories of all, where these leave no doubt which validation was its own. */
export function metricsAmong(countOf: (facts: Meta) => number | null): (all: readonly Meta[]) => readonly Meta[] {
  return (all) => {
    const found = all.map(() => new Map<string, MetaValue>())
    const metrics = new Set(all.flatMap((facts) => metricsIn(facts.get('#histories'))))
    for (const metric of metrics) {
      if (all.every((facts) => facts.has(metric))) continue
      const reaches = all.flatMap((facts) => reachOf(facts, countOf(facts), metric)).toSorted((a, b) => a.upTo - b.upTo)
      for (const [index, facts] of all.entries()) {
        const count = countOf(facts)
        const value = facts.has(metric) || count === null ? null : valueAt(reaches, count)
        if (value !== null) found[index]?.set(metric, value)
      }
    }
    return found
  }
}

function reachOf(facts: Meta, count: number | null, metric: string): Reach[] {
  const history = historyOf(facts.get('#histories'), metric)
  if (count === null || history === null) return []
  return [{ ...history, upTo: facts.has('#validations') ? count : count - 1 }]
}

/** What the validation of that epoch or iteration gave; null where it cannot be told that there was one. */
function valueAt(reaches: readonly Reach[], at: number): number | null {
  const done = doneAt(reaches, at)
  if (done === null || doneAt(reaches, at - 1) !== done - 1) return null
  const later = reaches.find(({ upTo }) => upTo >= at)
  const value = later?.values[done - 1 - (later.count - later.values.length)]
  return typeof value === 'number' ? value : null
}

/**
 * How many validations there had been up to that epoch or iteration: at each there is one or none. Null where the
 * nearest histories allow more than one number, or none.
 */
function doneAt(reaches: readonly Reach[], at: number): number | null {
  const before = reaches.findLast(({ upTo }) => upTo <= at) ?? { upTo: 0, count: 0 }
  const after = reaches.find(({ upTo }) => upTo >= at) ?? { upTo: Infinity, count: Infinity }
  const least = Math.max(before.count, after.count === Infinity ? 0 : after.count - (after.upTo - at))
  const most = Math.min(after.count, before.count + (at - before.upTo))
  return least === most ? least : null
}
