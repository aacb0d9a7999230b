/** A folder's runs, looked at again and again: cheaply while nothing changes. */
import type { Run } from '../../checkpoint.js'
import { NoRunError, type WalkOptions } from '../../checkpoints/layouts/index.js'
import { openRun, openRuns, type StateLocation } from '../../runs/index.js'
import { readJournal, type JournalEntry, type StartEntry } from '../../changes/journal/index.js'
import { holderOf, jobLock, stateFolderOf, type LockOptions, type StateFolder } from '../../changes/state/index.js'
import { RecordedReads } from '../../storage/recorded-reads.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import type { WatchEvent } from './event.js'
import { jobStateOf } from './job-state.js'
import { RunMemory, type LookContext, type Surroundings } from './run-memory.js'
import type { WatchedRun } from './watched-run.js'

export interface WatchOptions extends StateLocation {
  /** Absolute: a run, or a folder above. */
  readonly path: string
  /** Every run below; else the one there. */
  readonly isRecursive: boolean
  readonly walking: WalkOptions
  readonly lock: LockOptions
}

interface Known {
  readonly memory: RunMemory
  readonly states: readonly StateFolder[]
  /** The one that holds the journal of its jobs, and what that has said. */
  journal: { readonly state: StateFolder; readonly entries: readonly JournalEntry[] } | null
}

export class Watch {
  private readonly known = new Map<string, Known>()
  /** All that the last whole look read. */
  private reads: RecordedReads | null = null
  /** What that was when nothing changed during a whole look; null: the next look is a whole one. */
  private quiet: string | null = null

  constructor(
    private readonly storage: Storage,
    private readonly options: WatchOptions,
  ) {}

  /** Sorted by path. */
  get runs(): WatchedRun[] {
    return [...this.known.values()].flatMap(({ memory }) => memory.run ?? [])
  }

  /** Folders in which changes are to be expected. */
  get folders(): string[] {
    const states = [...this.known.values()].flatMap(({ states: own }) => own.map(({ path }) => path))
    return [...new Set([this.options.path, ...this.known.keys(), ...states])]
  }

  /**
   * What has happened since the last look; of the first one what is there. While nothing changed it costs a stat of each
   * path that was read before. Throws as `openRun` does, but for a run that is not there (yet, or any more).
   */
  async look(context: LookContext): Promise<WatchEvent[]> {
    const before = this.reads === null ? null : await this.reads.fingerprint()
    if (before !== null && before === this.quiet) return this.refresh()
    const isFirst = this.reads === null
    const reads = new RecordedReads(this.storage)
    const runs = await this.open(reads)
    this.reads = reads
    const events = [...(await this.lookAt(runs, reads, context, isFirst)), ...this.forget(runs)]
    const after = await reads.fingerprint()
    const isBusy = [...this.known.values()].some(({ memory }) => memory.isBusy)
    this.quiet = after === before && !isBusy ? after : null
    return events
  }

  private async open({ storage }: RecordedReads): Promise<readonly Run[]> {
    const { path, isRecursive, walking, stateDirectory } = this.options
    try {
      if (isRecursive) return await openRuns(storage, path, { ...walking, stateDirectory })
      return [await openRun(storage, path, { stateDirectory })]
    } catch (error) {
      if (error instanceof NoRunError) return []
      throw error
    }
  }

  private async lookAt(runs: readonly Run[], { storage }: RecordedReads, context: LookContext, isFirst: boolean) {
    const events: WatchEvent[] = []
    for (const run of runs) {
      const known = await this.memoryOf(run)
      const { memory } = known
      const isNew = memory.run === null
      await readJournalOf(known, storage)
      events.push(...(await memory.look(storage, run, await this.around(run.path, known), context)))
      const seen = memory.run
      if (isNew && seen !== null) events.push({ run: run.path, event: isFirst ? 'watching' : 'appeared', seen })
    }
    return events
  }

  private async memoryOf({ path }: Run): Promise<Known> {
    const known = this.known.get(path)
    if (known !== undefined) return known
    const { stateDirectory, isRecursive, path: named } = this.options
    // A job that was started on a folder above its run has its journal there.
    const folders = isRecursive || named === path ? [path] : [path, named]
    const states: StateFolder[] = []
    for (const folder of folders) states.push(await stateFolderOf(this.storage, folder, stateDirectory))
    const made: Known = { memory: new RunMemory(), states, journal: null }
    this.known.set(path, made)
    return made
  }

  private forget(runs: readonly Run[]): WatchEvent[] {
    const there = new Set(runs.map(({ path }) => path))
    const gone = [...this.known.keys()].filter((path) => !there.has(path))
    for (const path of gone) this.known.delete(path)
    return gone.map((run) => ({ run, event: 'vanished' as const }))
  }

  private async refresh(): Promise<WatchEvent[]> {
    const events: WatchEvent[] = []
    for (const [path, known] of this.known) events.push(...known.memory.refresh(await this.around(path, known)))
    return events
  }

  private async around(path: string, { journal }: Known): Promise<Surroundings> {
    const [space] = await this.storage.space([path])
    const free = space?.ok === true ? space.value.free : null
    if (journal === null) return { entries: [], job: null, free }
    const { lock } = this.options
    const { self, startOf } = lock.processes
    const lives = ({ pid, started, host }: StartEntry) =>
      pid !== null && started !== null && host === self.host && startOf(pid) === started
    const holder = await holderOf(this.storage, journal.state, { ...lock, name: jobLock })
    return { entries: journal.entries, job: jobStateOf(journal.entries, { holder, lives }), free }
  }
}

async function readJournalOf(known: Known, storage: ReadStorage): Promise<void> {
  known.journal = null
  for (const state of known.states) {
    const { entries } = await readJournal(storage, state)
    if (entries.length === 0) continue
    known.journal = { state, entries }
    return
  }
}
