/** Why a job need not go on: early stopping, or a goal that is reached. */
import { isSound, type Checkpoint } from '../../checkpoint.js'
import { selects, type Expression } from '../../choosing/expression/index.js'
import type { JournalEntry } from '../../changes/journal/index.js'
import { measure } from '../../checkpoints/layouts/index.js'
import { openAllIfAny, type StateLocation } from '../../runs/index.js'
import { byRecency, scopeOf } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { readingsOf } from './metric-history.js'
import { standingOf, type Patience } from './early-stopping.js'

export interface Enough {
  readonly patience: Patience | null
  /** It is enough when all are true of the newest checkpoint. */
  readonly when: readonly Expression[]
}

/** For people; null while there is something to gain. `now` is Unix seconds. */
export async function whyEnough(
  storage: ReadStorage,
  { path, enough, ...stateLocation }: { readonly path: string; readonly enough: Enough } & StateLocation,
  entries: readonly JournalEntry[],
  newest: Checkpoint | null,
  now: number,
): Promise<string | null> {
  const { patience, when } = enough
  if (newest !== null && when.length > 0 && when.every((one) => selects(one, scopeOf(newest, now)))) {
    return `${newest.name}: ${when.map(({ text }) => text).join(' and ')}`
  }
  if (patience === null) return null
  const readings = readingsOf(entries, await wholeOldestFirst(storage, path, stateLocation), patience.order.key)
  const { stalled, best, since } = standingOf(
    readings.map(({ value }) => value),
    patience,
  )
  if (!stalled) return null
  const record = best === null ? undefined : readings[best]
  const after = record === undefined ? '' : ` since ${patience.order.key} ${record.value} of ${record.name}`
  return `no improvement in the last ${since} checkpoints${after}`
}

/** Measured; none where there is no run yet. */
export async function wholeOldestFirst(
  storage: ReadStorage,
  path: string,
  stateLocation: StateLocation,
): Promise<Checkpoint[]> {
  const run = await openAllIfAny(storage, path, stateLocation)
  const measured = await measure(storage, run?.checkpoints.filter(isSound) ?? [])
  return [...byRecency(measured).ordered].reverse()
}
