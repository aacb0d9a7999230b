/** Every removal stands in the run's journal: who, when, by which policy, and the metrics of what went. */
import type { Checkpoint } from '../checkpoint.js'
import { CkptError } from '../errors.js'
import { Journal, type Doer, type RemovalEntry } from '../changes/journal/index.js'
import type { Owner, StateFolder } from '../changes/state/index.js'
import { metricOrders, valueFor } from '../choosing/selection/index.js'
import type { Storage } from '../storage/storage.js'

/** Who removes, and what was asked for. */
export interface Removing {
  readonly self: Pick<Owner, 'host' | 'pid' | 'command'>
  readonly policy: string
}

export interface Gone {
  readonly what: RemovalEntry['what']
  readonly checkpoints: readonly Pick<Checkpoint, 'name'>[]
  /** Why each went, by name. */
  readonly reasons: ReadonlyMap<string, string>
  /** Unix seconds. */
  readonly now: number
}

/** Under the run's lock. A journal that cannot be written is told, and undoes nothing. */
export async function recordRemovals(
  storage: Storage,
  state: StateFolder,
  { self, policy }: Removing,
  { what, checkpoints, reasons, now }: Gone,
): Promise<void> {
  if (checkpoints.length === 0) return
  const { host, pid, command } = self
  const by: Doer = { user: storage.custody.user, host, pid, command }
  const entries = checkpoints.map((one): RemovalEntry => {
    const reason = reasons.get(one.name) ?? ''
    return { what, time: now, name: one.name, by, reason, policy, ...factsOf(one, now) }
  })
  const onFailure = ({ message }: CkptError) => {
    storage.custody.warn(`what was removed could not be written to the journal: ${message}`)
  }
  try {
    const journal = await Journal.open(storage, state, onFailure)
    await journal.add(...entries)
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    onFailure(error)
  }
}

function factsOf(one: Pick<Checkpoint, 'name'> | Checkpoint, now: number) {
  if (!('meta' in one)) return { epoch: null, step: null, metrics: new Map<string, number>() }
  const metrics = metricOrders([one]).flatMap((order): [string, number][] => {
    const value = valueFor(one, order, now)
    return value === undefined ? [] : [[order.key, Number(value)]]
  })
  return { epoch: one.epoch, step: one.step, metrics: new Map(metrics) }
}
