/** Everything that a report tells of a run, gathered once. Nothing is changed. */
import type { Checkpoint, HealthLevel, Run } from '../../checkpoint.js'
import { readHyperParameters, type FoundHyperParameters } from '../../checkpoints/hyperparameters/index.js'
import { TotalSize } from '../../checkpoints/layouts/index.js'
import type { HealthOptions } from '../../checkpoints/health/index.js'
import { journalPath, readJournal, type JournalContents } from '../../changes/journal/index.js'
import { isInForce, stateFolderOf, type Pin } from '../../changes/state/index.js'
import {
  bestPerMetric,
  describeAbsentBest,
  describeContradictions,
  impossibleMetrics,
  metricOrders,
  monitoredKeys,
  trainingNumbers,
  varyingKeys,
} from '../../choosing/selection/index.js'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { curvesAlong, type AxisCurves, type CurveAxis } from './curves.js'
import type { DiskUse, DiskUses } from '../pruning/disk-use.js'
import { examine } from '../opening/open-run.js'
import { previewPrune, type PrunePreview, type PruneRequest } from '../pruning/prune.js'
import { arrange } from '../opening/rank-and-filter.js'
import { pinsOf } from '../protecting/protecting-pins.js'
import type { StateLocation } from '../opening/run-with-state.js'
import { setAsideReasons } from '../protecting/set-aside.js'

/** Keys that curves are drawn of: a framework that logs hundreds has them in its logs. */
const mostKeys = 60
const axes: readonly CurveAxis[] = ['step', 'epoch', 'time']

export interface ReportRequest extends StateLocation {
  readonly verify: HealthLevel
  /** What would stay by it is reported; null: none is asked. */
  readonly policy: PruneRequest | null
  /** Unix seconds. */
  readonly now: number
  /** Seconds east of UTC at a moment (Unix seconds). */
  readonly utcOffset: (time: number) => number
  /** Shared by the runs of one report: a file with several names counts for the first run that has it. */
  readonly uses: DiskUses
}

/** Checkpoints are in order, the newest first; what is by path or name is as `list` tells it. */
export interface RunReport {
  readonly run: Run
  readonly checkpoints: readonly Checkpoint[]
  /** By path: of which training it is, where several lie in the run. */
  readonly training: ReadonlyMap<string, number>
  /** By metric. */
  readonly best: ReadonlyMap<string, Checkpoint>
  /** By path: metrics that no measurement gives. */
  readonly impossible: ReadonlyMap<string, readonly string[]>
  /** By name. */
  readonly pins: ReadonlyMap<string, Pin>
  /** By name, why jobs do not start from it. */
  readonly aside: ReadonlyMap<string, string>
  /** Numeric keys of the meta, those by which the run is judged first. */
  readonly keys: readonly string[]
  /** Of each key along each axis that has points. */
  readonly curves: readonly AxisCurves[]
  /** Bytes of all of it; a file with several names once. */
  readonly size: number
  readonly use: DiskUse
  readonly settings: FoundHyperParameters
  readonly journal: JournalContents
  /** Absolute: files and folders beside the run's own that its facts come from. */
  readonly sources: readonly string[]
  /** Null where no policy was asked, or it cannot be (`planFailure`). */
  readonly plan: PrunePreview | null
  /** For people, why there is no plan. */
  readonly planFailure: string | null
  /** For people. */
  readonly warnings: readonly string[]
}

/** What of the state cannot be read is a warning. Throws StorageError, and CkptError `interrupted`. */
export async function reportRun(
  storage: ReadStorage,
  run: Run,
  request: ReportRequest,
  options: HealthOptions = {},
): Promise<RunReport> {
  const { now, verify } = request
  const { ordered, trainings, warnings } = await arrange(storage, run.checkpoints, { orders: [], where: [] }, now, [
    'step',
    'epoch',
  ])
  const total = new TotalSize()
  const checkpoints = await examine(storage, ordered, ordered, verify, { ...options, total })
  const known = { ...run, checkpoints }
  const keys = keysOf(ordered)
  const memory = await recall(storage, run, request)
  const settings = await readHyperParameters(storage, run)
  const state = await stateFolderOf(storage, run.path, request.stateDirectory)
  return {
    run: known,
    checkpoints,
    training: trainingNumbers(trainings),
    best: bestPerMetric(ordered, now),
    impossible: impossibleMetrics(ordered),
    pins: memory.pins,
    aside: memory.aside,
    keys,
    curves: await curvesAlongAll(storage, known, keys),
    size: total.bytes,
    use: await request.uses.of(run, storage),
    settings,
    journal: memory.journal,
    sources: [state.path, journalPath(state), ...[...settings.all.values()].map(({ source }) => source)],
    ...(await planFor(storage, known, request, options)),
    warnings: [...warnings, ...describeAbsentBest(ordered), ...describeContradictions([], ordered), ...memory.warnings],
  }
}

function keysOf(ordered: readonly Checkpoint[]): string[] {
  const metrics = metricOrders(ordered).map(({ key }) => key)
  return [...new Set([...monitoredKeys(ordered), ...metrics, ...varyingKeys(ordered)])].slice(0, mostKeys)
}

async function curvesAlongAll(storage: ReadStorage, run: Run, keys: readonly string[]): Promise<AxisCurves[]> {
  const all = await curvesAlong(storage, run, keys, axes)
  return all
    .map(({ axis, curves }) => ({ axis, curves: curves.filter(({ points }) => points.length > 0) }))
    .filter(({ curves }) => curves.length > 0)
}

interface Memory {
  readonly pins: ReadonlyMap<string, Pin>
  readonly aside: ReadonlyMap<string, string>
  readonly journal: JournalContents
  readonly warnings: readonly string[]
}

/** What ckpt remembers of the run. */
async function recall(storage: ReadStorage, run: Run, request: ReportRequest): Promise<Memory> {
  const warnings: string[] = []
  const orElse = async <T>(read: () => Promise<T>, none: T): Promise<T> => {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      warnings.push(error.message)
      return none
    }
  }
  const pins = await orElse(() => pinsOf(storage, run, request), new Map<string, Pin>())
  return {
    pins: new Map([...pins].filter(([, pin]) => isInForce(pin, request.now))),
    aside: await orElse(() => setAsideReasons(storage, run, request), new Map<string, string>()),
    journal: await orElse(
      async () => readJournal(storage, await stateFolderOf(storage, run.path, request.stateDirectory)),
      { entries: [], unreadable: 0, isCut: false },
    ),
    warnings,
  }
}

async function planFor(
  storage: ReadStorage,
  run: Run,
  { policy, now, utcOffset, stateDirectory }: ReportRequest,
  options: HealthOptions,
): Promise<Pick<RunReport, 'plan' | 'planFailure'>> {
  if (policy === null) return { plan: null, planFailure: null }
  // Nothing is removed, so nothing young is waited for.
  const context = { ...options, now, utcOffset, stateDirectory, wait: async () => Promise.resolve() }
  try {
    return { plan: await previewPrune(storage, run, policy, context, run.checkpoints), planFailure: null }
  } catch (error) {
    if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
    return { plan: null, planFailure: error.message }
  }
}
