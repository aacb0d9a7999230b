/** What stands beside a checkpoint in a list, and the order of the rows. */
import { addTo } from '../core/grouped.js'
import type { Checkpoint } from '../core/checkpoint.js'
import { isoTime } from './checkpoints.js'
import { sortBy } from './sort-rows.js'
import { describeValue, namedBests, scopeOf } from '../core/choosing/selection/index.js'

/** By path: `latest`, `best WER loss`, `named best` (with the metric where no `best` names it), `impossible ACC`. `aside` tells by name why jobs do not start from one. */
export function marksOf(
  ordered: readonly Checkpoint[],
  best: ReadonlyMap<string, Checkpoint>,
  impossible: ReadonlyMap<string, readonly string[]>,
  pins: ReadonlyMap<string, { readonly note: string; readonly until?: number }> = new Map(),
  aside: ReadonlyMap<string, string> = new Map(),
): Map<string, string[]> {
  const marks = new Map<string, string[]>()
  const add = (path: string, mark: string) => addTo(marks, path, mark)
  const [latest] = ordered
  if (latest !== undefined) add(latest.path, 'latest')
  const bestOf = new Map<string, string[]>()
  for (const [metric, { path }] of best) addTo(bestOf, path, metric)
  for (const [path, metrics] of bestOf) add(path, `best ${metrics.join(' ')}`)
  for (const { checkpoint, pointer, path } of namedBests(ordered)) {
    const isShown = pointer.metric !== undefined && bestOf.get(path)?.includes(pointer.metric) === true
    const mark = `named best${isShown ? '' : describeValue(pointer)}`
    // ESPnet may name one checkpoint the best by several criteria.
    if (checkpoint !== null && marks.get(checkpoint.path)?.includes(mark) !== true) add(checkpoint.path, mark)
  }
  for (const [path, metrics] of impossible) add(path, `impossible ${metrics.join(' ')}`)
  for (const { name, path, demoted, sameAs } of ordered) {
    if (sameAs !== undefined) add(path, `same as ${sameAs}`)
    const pin = pins.get(name)
    if (pin !== undefined) add(path, describePin(pin))
    if (aside.has(name)) add(path, 'set aside')
    if (demoted !== undefined) add(path, 'demoted')
  }
  return marks
}

/** `pinned`, `pinned until 2027-03-01: table 2`. */
function describePin({ note, until }: { readonly note: string; readonly until?: number }): string {
  const end = until === undefined ? '' : ` until ${isoTime(until).replace('T00:00:00Z', '')}`
  return `pinned${end}${note === '' ? '' : `: ${note}`}`
}

/** By path, the metrics by which it is the best. */
export function bestByPath(best: ReadonlyMap<string, Checkpoint>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const [metric, { path }] of best) found.set(path, (found.get(path) ?? new Set()).add(metric))
  return found
}

/** By any column or key, `-` before it for descending; those without a value come last. */
export function sortRows(checkpoints: readonly Checkpoint[], column: string, now: number): Checkpoint[] {
  return sortBy(checkpoints, column, (checkpoint, name) => scopeOf(checkpoint, now).get(name))
}
