/** Every removal stands in the run's journal: who, when, by which policy, and the metrics of what went. */
import type { Checkpoint, Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { Journal, readJournal, removalsIn, type Doer, type RemovalEntry } from '../../changes/journal/index.js'
import { readDemotions, type Owner, type StateFolder } from '../../changes/state/index.js'
import { batches } from '../../checkpoints/layouts/index.js'
import { metricOrdersOfEach, valueFor } from '../../choosing/selection/index.js'
import type { Storage } from '../../storage/storage.js'

/** Who removes, and what was asked for. */
export interface Removing {
  readonly self: Pick<Owner, 'host' | 'pid' | 'command'>
  readonly policy: string
}

interface Named {
  readonly name: string
  readonly meta?: undefined
}

export interface Gone {
  readonly what: Exclude<RemovalEntry['what'], 'removing'>
  /** Of what came from the trash the names alone. */
  readonly checkpoints: readonly (Checkpoint | Named)[]
  /** Why each went, by name. */
  readonly reasons: ReadonlyMap<string, string>
  /** Names that were about to go (`recordIntent`), and are still there. */
  readonly stayed?: readonly string[]
  /** Unix seconds. */
  readonly now: number
}

/** Entries written together: those of a hundred thousand checkpoints need not be in memory at once. */
const atOnce = 10_000

/** Under the run's lock. A journal that cannot be written is reported, and undoes nothing. */
export async function recordRemovals(
  storage: Storage,
  state: StateFolder,
  removing: Removing,
  gone: Gone,
): Promise<void> {
  await record(storage, state, removing, gone, ({ message }: CkptError) => {
    storage.custody.warn(`what was removed could not be written to the journal: ${message}`)
  })
}

/**
 * Before anything goes: a kill amid it leaves at least that. Under the run's lock. That it cannot be written is reported
 * when what went cannot be written either.
 */
export async function recordIntent(
  storage: Storage,
  state: StateFolder,
  removing: Removing,
  gone: Pick<Gone, 'checkpoints' | 'reasons' | 'now'>,
): Promise<void> {
  await record(storage, state, removing, { ...gone, what: 'removing' }, () => undefined)
}

/**
 * The demotions that are done and stand in no journal: their ckpt was stopped before it could write them down. Under the
 * run's lock. Never fails for what cannot be read or written, which is reported.
 */
export async function recordMissedDemotions(
  storage: Storage,
  state: StateFolder,
  by: Pick<Removing, 'self'>,
  { checkpoints }: Pick<Run, 'checkpoints'>,
  now: number,
): Promise<void> {
  const removing = { ...by, policy: '' }
  try {
    const demotions = await readDemotions(storage, state)
    const done = checkpoints.filter(({ name }) => demotions.get(name)?.finished === true)
    if (done.length === 0) return
    const recorded = removalsIn((await readJournal(storage, state)).entries).filter(({ what }) => what === 'demoted')
    const last = new Map(recorded.map(({ name, time }) => [name, time]))
    const missed = done.filter(({ name }) => (last.get(name) ?? -Infinity) < (demotions.get(name)?.time ?? 0))
    const reasons = new Map(
      missed.map(({ name }) => [name, 'demoted by a ckpt that was stopped before it wrote that down']),
    )
    await recordRemovals(storage, state, removing, { what: 'demoted', checkpoints: missed, reasons, now })
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    storage.custody.warn(`what was demoted could not be looked up in the journal: ${error.message}`)
  }
}

async function record(
  storage: Storage,
  state: StateFolder,
  { self, policy }: Removing,
  { what, checkpoints, reasons, stayed = [], now }: Omit<Gone, 'what'> & Pick<RemovalEntry, 'what'>,
  onFailure: (error: CkptError) => void,
): Promise<void> {
  if (checkpoints.length + stayed.length === 0) return
  const { host, pid, command } = self
  const by: Doer = { user: storage.custody.user, host, pid, command }
  try {
    // A journal of ten thousand removals is read only for those that say nothing of themselves any more.
    const isKnown = checkpoints.every(({ meta }) => meta !== undefined)
    const journal = isKnown
      ? await Journal.forAdding(storage, state, onFailure)
      : await Journal.open(storage, state, onFailure)
    const earlier = new Map(removalsIn(journal.entries).map((entry) => [entry.name, entry]))
    const ordersOf = metricOrdersOfEach()
    const entryOf = (one: Checkpoint | Named): RemovalEntry => {
      const reason = reasons.get(one.name) ?? ''
      const facts = one.meta === undefined ? rememberedOf(earlier.get(one.name)) : factsOf(one, ordersOf(one), now)
      return { what, time: now, name: one.name, by, reason, policy, ...facts }
    }
    for (const some of batches(checkpoints, atOnce)) await journal.addAll(some.map(entryOf))
    await journal.addAll(stayed.map((name) => ({ what: 'stays', time: now, name })))
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    onFailure(error)
  }
}

type Facts = Pick<RemovalEntry, 'epoch' | 'step' | 'metrics'>

function factsOf(one: Checkpoint, orders: ReturnType<ReturnType<typeof metricOrdersOfEach>>, now: number): Facts {
  const metrics = orders.flatMap((order): [string, number][] => {
    const value = valueFor(one, order, now)
    return value === undefined ? [] : [[order.key, Number(value)]]
  })
  return { epoch: one.epoch, step: one.step, metrics: new Map(metrics) }
}

/** What lies in the trash is not read again: what it was is what was written down when it was moved there. */
function rememberedOf(earlier: RemovalEntry | undefined): Facts {
  if (earlier === undefined) return { epoch: null, step: null, metrics: new Map() }
  const { epoch, step, metrics } = earlier
  return { epoch, step, metrics }
}
