/** What a watch remembers of one run from look to look, and what a look has that is new. */
import { isSound, timeOf, withHealth, type Checkpoint, type Run } from '../../checkpoint.js'
import type { JournalEntry } from '../../changes/journal/index.js'
import { markStillWritten } from '../../checkpoints/health/index.js'
import { measure } from '../../checkpoints/layouts/index.js'
import { arrange, grade, type Query } from '../../runs/index.js'
import { byRecency } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { WatchEvent } from './event.js'
import { hasJobChanged, type JobState } from './job-state.js'
import { metricOf, orderFor, Readings, type WatchedRun } from './watched-run.js'

export interface LookContext {
  readonly query: Query
  /** Checkpoints in a row without a better one that count as a stall. */
  readonly patience: number
  /** Unix seconds. */
  readonly now: number
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
}

/** What a look knows of a run beside its checkpoints. */
export interface Surroundings {
  readonly entries: readonly JournalEntry[]
  readonly job: JobState | null
  readonly free: number | null
}

/** A new run is looked into this far: what is older nobody writes any more. */
const lookedInto = 3
/** Room for fewer checkpoints than this is reported. */
const littleRoom = 3

export class RunMemory {
  /** By path, what was reported: a checkpoint that was replaced is reported again. */
  private readonly reported = new Map<string, { readonly identity: string; readonly checkpoint: Checkpoint }>()
  /** By path, what looked damaged at one look: a save may have paused. */
  private readonly suspects = new Map<string, string>()
  private readonly readings = new Readings()
  private isShort = false
  private last: WatchedRun | null = null
  /** Something is being written, or may be: the next look has to be a whole one. */
  isBusy = false

  get run(): WatchedRun | null {
    return this.last
  }

  /** The first look at a run finds nothing new in it. */
  async look(storage: ReadStorage, run: Run, around: Surroundings, context: LookContext): Promise<WatchEvent[]> {
    const before = this.last
    const measured = await measure(storage, run.checkpoints)
    const { fresh, known } = await this.graded(storage, measured, before === null, context)
    const news = before === null ? [] : this.newOf(fresh)
    const removed = this.forgetGone(run.path, measured)
    const { ordered, selected } = await arrange(storage, known, context.query, context.now)
    this.last = this.seen(run.path, ordered, selected, around, context)
    if (before === null) return []
    const events = [...news, ...this.better(before, this.last, context), ...removed]
    return [...events, ...this.refreshed(before, this.last)]
  }

  /** What changes without a trace in the run: its job, and the disk. */
  refresh({ job, free }: Pick<Surroundings, 'job' | 'free'>): WatchEvent[] {
    const before = this.last
    if (before === null) return []
    this.last = { ...before, job, free }
    return this.refreshed(before, this.last)
  }

  private refreshed(before: WatchedRun, after: WatchedRun): WatchEvent[] {
    const { path, job, free, ordered } = after
    const events: WatchEvent[] = []
    if (job !== null && hasJobChanged(before.job, job)) events.push({ run: path, event: 'job', job })
    const room = roomOf(free, ordered)
    const isShort = room !== null && room < littleRoom
    if (isShort && !this.isShort) events.push({ run: path, event: 'space', free: free ?? 0, room })
    this.isShort = isShort
    return events
  }

  private seen(
    path: string,
    ordered: readonly Checkpoint[],
    selected: readonly Checkpoint[],
    { entries, job, free }: Surroundings,
    { query, now }: LookContext,
  ): WatchedRun {
    const order = orderFor(ordered, query.orders[0])
    const isNarrowed = query.where.length > 0 || query.training !== undefined
    this.readings.take(order, selected, isNarrowed ? null : entries, now)
    return { path, ordered, selected, metric: metricOf(order), ...this.readings.standing, job, free }
  }

  /** All with their health as far as it is known; those that differ from what was reported are looked into. */
  private async graded(storage: ReadStorage, measured: readonly Checkpoint[], isFirst: boolean, context: LookContext) {
    const unknown = measured.filter((one) => this.reported.get(one.path)?.identity !== identityOf(one))
    const recent = isFirst ? byRecency(unknown).ordered.slice(0, lookedInto) : unknown
    const examined = await grade(storage, measured, recent, 'quick')
    const settled = isFirst ? examined : await markStillWritten(storage, examined, context)
    this.isBusy = settled.some((one, index) => one !== examined[index])
    const fresh = new Map(settled.map((one) => [one.path, one]))
    const known = measured.map((one) => fresh.get(one.path) ?? this.asReported(one))
    if (isFirst) for (const one of known) this.begin(one)
    return { fresh: [...byRecency(settled).ordered].reverse(), known }
  }

  private asReported(checkpoint: Checkpoint): Checkpoint {
    const known = this.reported.get(checkpoint.path)?.checkpoint
    if (known === undefined || isSound(known) || !isSound(checkpoint)) return checkpoint
    return withHealth(checkpoint, known.health.level, known.health.findings)
  }

  private begin(checkpoint: Checkpoint): void {
    if (checkpoint.health.grade !== 'unfinished') this.remember(checkpoint)
  }

  private remember(checkpoint: Checkpoint): void {
    this.reported.set(checkpoint.path, { identity: identityOf(checkpoint), checkpoint })
    this.suspects.delete(checkpoint.path)
  }

  /** Oldest first. An unfinished one is reported once it is finished, a damaged one if a second look confirms it. */
  private newOf(fresh: readonly Checkpoint[]): WatchEvent[] {
    return fresh.flatMap((checkpoint): WatchEvent[] => {
      const { run, path } = checkpoint
      if (checkpoint.health.grade === 'unfinished') return []
      if (!isSound(checkpoint) && this.suspects.get(path) !== identityOf(checkpoint)) {
        this.suspects.set(path, identityOf(checkpoint))
        this.isBusy = true
        return []
      }
      this.remember(checkpoint)
      if (checkpoint.sameAs !== undefined) return []
      return [{ run, event: isSound(checkpoint) ? 'new' : 'damaged', checkpoint }]
    })
  }

  private forgetGone(run: string, measured: readonly Checkpoint[]): WatchEvent[] {
    const there = new Set(measured.map(({ path }) => path))
    const gone = [...this.reported].filter(([path]) => !there.has(path))
    for (const [path] of gone) this.reported.delete(path)
    return gone.flatMap(([, { checkpoint }]): WatchEvent[] =>
      checkpoint.sameAs === undefined ? [{ run, event: 'removed', name: checkpoint.name }] : [],
    )
  }

  private better(before: WatchedRun, after: WatchedRun, { patience }: LookContext): WatchEvent[] {
    const { path: run, metric, best, since, selected } = after
    if (metric === null || best === null) return []
    const isOther = best.name !== before.best?.name || best.saved !== before.best.saved
    if (isOther && (metric !== before.metric || best.value !== before.best?.value)) {
      const checkpoint = selected.find(({ name }) => name === best.name) ?? null
      const old = metric === before.metric ? before.best : null
      return [{ run, event: 'best', metric, best, before: old, checkpoint }]
    }
    if (since < patience || before.since >= patience) return []
    return [{ run, event: 'stalled', metric, checkpoints: since, best }]
  }
}

function identityOf(checkpoint: Checkpoint): string {
  return `${timeOf(checkpoint) ?? ''} ${checkpoint.modified ?? ''} ${checkpoint.size ?? ''}`
}

/** For how many checkpoints as large as the newest there is room; null where that is unknown. */
export function roomOf(free: number | null, ordered: readonly Checkpoint[]): number | null {
  const size = ordered.find((one) => isSound(one) && one.size !== null)?.size ?? null
  return free === null || size === null || size === 0 ? null : Math.floor(free / size)
}
