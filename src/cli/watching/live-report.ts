/** A report that is updated as its runs change: only the runs that changed are read again. */
import { basename, dirname } from 'node:path'
import type { Run } from '../../core/checkpoint.js'
import { compareText, ignoreFile, type EarlierWalk } from '../../core/checkpoints/layouts/index.js'
import { CkptError, reasonOf, StorageError } from '../../core/errors.js'
import type { ReadStorage } from '../../core/storage/storage.js'
import type { ReportedRun, ReportView } from '../../render/report/document.js'

export interface LiveSources {
  readonly storage: ReadStorage
  /** All runs that there are now; what `earlier` passes by is left out. */
  readonly open: (earlier: EarlierWalk) => Promise<OpenedAll>
  /** One of them as it is now; null where it is none any more. */
  readonly reopen: (path: string) => Promise<Run | null>
  /** The report of these runs; for those in `known`, by path, what is known is taken as it is. */
  readonly gather: (runs: readonly Run[], known: KnownRuns) => Promise<ReportView>
  /** Ends it all. */
  readonly signal: AbortSignal
}

export interface OpenedAll {
  readonly runs: readonly Run[]
  /** Absolute: all that was read to find them. */
  readonly read: ReadonlySet<string>
}

export type KnownRuns = ReadonlyMap<string, ReportedRun>

export interface News {
  readonly event: 'news' | 'trouble'
  readonly data: string
}

/** Milliseconds between two looks: what is new is reported within two seconds. */
export const lookInterval = 500
/** Looking for runs takes at most this part of the time: everywhere, and where something has changed. */
const share = { everywhere: 0.1, changed: 0.5 }
/** Milliseconds after which everything is computed again: settings may have changed, and rules depend on the time. */
const lasting = 10_000

export class LiveReport {
  /** All readers get the news, not only the one whose request found the change. */
  onNews: (news: News) => void = () => undefined
  #view: ReportView
  /** Outside of the runs, what was read to find them: where a run comes, one of these changes. */
  #around: readonly string[]
  /** None yet: nobody knows what has changed since the first report was made. */
  #stamps: Stamps = new Map()
  #trouble: string | null = null
  #refreshing: Promise<void> | null = null
  #checked = 0
  #whole = performance.now()
  #isWholeWanted = false
  #nextWalk = { everywhere: 0, changed: 0 }
  /** Of what lies around the runs, what has changed since they were looked for there. */
  readonly #changed = new Set<string>()

  constructor(
    first: ReportView,
    opened: OpenedAll,
    private readonly sources: LiveSources,
  ) {
    this.#view = first
    this.#around = outside(opened.runs, [...opened.read])
  }

  /** Nobody may have looked for long. The same one until there is another to tell. */
  async fresh(): Promise<ReportView> {
    if (this.#isWholeWanted || performance.now() - this.#checked > lookInterval) await this.refresh()
    return this.#view
  }

  /** The same for somebody who comes anew. */
  async anew(): Promise<ReportView> {
    if (performance.now() - this.#whole > lasting) this.#isWholeWanted = true
    return this.fresh()
  }

  /** Looks for what is new. However many ask, one looks. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#look().finally(() => {
      this.#refreshing = null
      this.#checked = performance.now()
    })
    return this.#refreshing
  }

  async #look(): Promise<void> {
    try {
      if (await this.#isNew()) this.onNews({ event: 'news', data: String(this.#view.made) })
    } catch (error) {
      this.#tellTrouble(error)
    }
  }

  async #isNew(): Promise<boolean> {
    const before = await stampsOf(this.sources.storage, [...this.#around, ...this.#view.runs.flatMap(pathsOf)])
    const isSame = (path: string) => this.#stamps.get(path) === before.get(path)
    for (const path of this.#around) if (!isSame(path)) this.#changed.add(path)
    const known = this.#known(isSame)
    const runs = await this.#runsNow(known)
    const isOld = runs.length === this.#view.runs.length && runs.every(({ path }) => known.has(path))
    if (isOld) {
      this.#stamps = before
      return false
    }
    this.#view = await this.sources.gather(runs, known)
    // What changed while it was gathered is news the next time: of what was looked at before, that look counts.
    const others = this.#view.runs.flatMap(pathsOf).filter((path) => !before.has(path))
    this.#stamps = new Map([...before, ...(await stampsOf(this.sources.storage, others))])
    this.#trouble = null
    return true
  }

  /** What was reported already and is still true. */
  #known(isSame: (path: string) => boolean): KnownRuns {
    if (this.#isWholeWanted) {
      this.#isWholeWanted = false
      this.#whole = performance.now()
      return new Map()
    }
    const same = this.#view.runs.filter((one) => pathsOf(one).every(isSame))
    return new Map(same.map((one) => [one.report.run.path, one]))
  }

  /** Those that changed are opened again; others are looked for where one of them is gone, or one may have come. */
  async #runsNow(known: KnownRuns): Promise<readonly Run[]> {
    if (performance.now() >= this.#nextWalk.everywhere || this.#hasOtherRules()) return this.#lookEverywhere(known)
    const runs: Run[] = []
    for (const { report } of this.#view.runs) {
      const { path } = report.run
      const run = known.has(path) ? report.run : await this.sources.reopen(path)
      if (run === null) return this.#lookEverywhere(known)
      runs.push(run)
    }
    if (this.#changed.size === 0 || performance.now() < this.#nextWalk.changed) return runs
    const found = await this.#lookWhereChanged(runs)
    return this.#hasOtherRules() ? this.#lookEverywhere(known) : withThose(runs, found)
  }

  /** What is to be left out may be another thing now. */
  #hasOtherRules(): boolean {
    return [...this.#changed].some(isOfRules)
  }

  async #lookEverywhere(known: KnownRuns): Promise<readonly Run[]> {
    const earlier = new Map([...known].map(([path, { report }]) => [path, report.run]))
    const began = performance.now()
    const opened = await this.sources.open({ runs: earlier, passesBy: () => false })
    this.#nextWalk.everywhere = nextAfter(began, share.everywhere)
    this.#changed.clear()
    // Of runs that were not read again nobody has asked what lies around them.
    const before = earlier.size === 0 ? [] : this.#around
    this.#around = outside(opened.runs, [...before, ...opened.read])
    return opened.runs
  }

  /** In the folders that have changed, and those that have come into them. */
  async #lookWhereChanged(runs: readonly Run[]): Promise<readonly Run[]> {
    const wanted = new Set([...this.#changed].flatMap(withAllAbove))
    const seen = new Set([...this.#around, ...runs.map(({ path }) => path)])
    const began = performance.now()
    const opened = await this.sources.open({
      runs: new Map(runs.map((run) => [run.path, run])),
      passesBy: (folder) => seen.has(folder) && !wanted.has(folder),
    })
    this.#nextWalk.changed = nextAfter(began, share.changed)
    this.#changed.clear()
    for (const path of opened.read) if (isOfRules(path) && !seen.has(path)) this.#changed.add(path)
    this.#around = outside([...runs, ...opened.runs], [...this.#around, ...opened.read])
    return opened.runs
  }

  /** The last good report stays visible; the same problem is reported once. */
  #tellTrouble(error: unknown): void {
    if (!(error instanceof CkptError)) throw error
    const text = error instanceof StorageError ? reasonOf(error) : error.message
    if (this.sources.signal.aborted || text === this.#trouble) return
    this.#trouble = text
    this.onNews({ event: 'trouble', data: text })
  }
}

/** When something that began then, and has just ended, may begin again to take that part of the time. */
function nextAfter(began: number, part: number): number {
  const now = performance.now()
  return now + (now - began) * (1 / part - 1)
}

/** Each new one at its place among them. */
function withThose(runs: readonly Run[], found: readonly Run[]): readonly Run[] {
  const known = new Set(runs.map(({ path }) => path))
  const all = [...runs]
  for (const run of found.filter(({ path }) => !known.has(path))) {
    const at = all.findIndex(({ path }) => compareText(path, run.path) > 0)
    all.splice(at === -1 ? all.length : at, 0, run)
  }
  return all
}

function isOfRules(path: string): boolean {
  return basename(path) === ignoreFile
}

function withAllAbove(path: string): string[] {
  const above = dirname(path)
  return above === path ? [path] : [path, ...withAllAbove(above)]
}

/** Of what was read to find the runs, what does not lie in one of them. */
function outside(runs: readonly Run[], read: readonly string[]): string[] {
  const inside = new Set(runs.map(({ path }) => path))
  const isInside = (path: string): boolean => {
    if (inside.has(path)) return true
    const above = dirname(path)
    return above !== path && isInside(above)
  }
  return [...new Set(read)].filter((path) => !isInside(path))
}

/** What changes where a run does: its folder, its checkpoints, its logs, its settings, its journal. */
function pathsOf({ report, policy }: ReportedRun): string[] {
  const { run, curves, checkpoints, sources } = report
  return [
    run.path,
    ...sources,
    ...(policy?.source == null ? [] : [policy.source]),
    ...checkpoints.flatMap(({ members, files }) => [...members, ...files].map(({ path }) => path)),
    ...curves.flatMap((along) => along.curves.flatMap(({ logs }) => logs)),
  ]
}

/** By path. */
type Stamps = ReadonlyMap<string, string>

async function stampsOf(storage: ReadStorage, paths: readonly string[]): Promise<Stamps> {
  const unique = [...new Set(paths)]
  const stats = await storage.stat(unique)
  return new Map(
    stats.map((stat, index) => [
      unique[index] ?? '',
      stat.ok ? `${stat.value.inode}:${stat.value.size}:${stat.value.modified}` : stat.error.code,
    ]),
  )
}
