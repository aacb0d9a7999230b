/**
 * What `ckpt recover -- COMMAND` writes down of a start from nothing, so that the next one knows that nothing was lost
 * when that was cut off amid its first save. A start from a checkpoint is written down only where the one before it
 * began from nothing, for it ends that, and where that checkpoint may be such a save after all.
 */
import type { Checkpoint } from '../../checkpoint.js'
import {
  attemptsOf,
  beganFromNothing,
  Journal,
  otherRanks,
  type Began,
  type DoubtedFirst,
  type JournalEntry,
} from '../../changes/journal/index.js'
import type { ChildOutcome } from '../command/index.js'
import { CkptError } from '../../errors.js'
import type { StateLocation } from '../../runs/index.js'
import { stateFolderOf } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'
import { classify, signalOf } from './classify.js'
import { doubtedFirst, killedBehind, usualDoubt } from './doubted-first-save.js'
import { toEndEntry } from './end-entry.js'
import { toCheckpointEntry } from './metric-history.js'
import type { Machine } from './machine.js'
import { CheckpointWatch } from './watch-checkpoints.js'

export interface LoneContext extends StateLocation {
  /** Unix seconds. */
  readonly now: () => number
  readonly command: readonly string[]
  readonly host: string
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
  /** As a `Machine` has it. */
  readonly noteAccess: Machine['noteAccess']
  /** Called once when the start cannot be written down. */
  readonly onFailure: (message: string) => void
}

/** Seconds. What fails sooner, where reads are not noted, had not come to its checkpoint. */
const minUptime = 10

export class LoneStart {
  private constructor(
    /** Null where what is there cannot be read. */
    private readonly journal: Journal | null,
    private readonly watch: CheckpointWatch,
    private readonly context: LoneContext,
  ) {}

  /** `path` is absolute, as it was named. The job matters more than its journal: a failure is reported. */
  static async open(storage: Storage, path: string, context: LoneContext): Promise<LoneStart> {
    const state = await stateFolderOf(storage, path, context.stateDirectory)
    let hasFailed = false
    const tellOnce = ({ message }: CkptError) => {
      if (!hasFailed) context.onFailure(message)
      hasFailed = true
    }
    const journal = await Journal.open(storage, state, tellOnce).catch((error: unknown) => {
      if (!(error instanceof CkptError)) throw error
      tellOnce(error)
      return null
    })
    return new LoneStart(journal, new CheckpointWatch(storage, path, context), context)
  }

  get fromNothing(): Began | null {
    return this.journal === null ? null : beganFromNothing(this.journal.entries)
  }

  get doubted(): DoubtedFirst | null {
    return this.journal === null ? null : doubtedFirst(this.journal.entries, usualDoubt)
  }

  /** Runs the job between the two entries. */
  async during(checkpoint: Checkpoint | null, run: () => Promise<ChildOutcome>): Promise<ChildOutcome> {
    const { journal } = this
    if (journal === null) return run()
    if (checkpoint !== null && !this.tells(checkpoint)) return run()
    const wasRead = this.context.noteAccess(checkpoint?.files.map(({ path }) => path) ?? [])
    await this.watch.begin()
    const began = this.context.now()
    const { command, host } = this.context
    const name = checkpoint?.name ?? null
    const process = { host, pid: null, started: null, job: null }
    await journal.add({
      what: 'start',
      time: began,
      attempt: 1,
      reason: 'first',
      checkpoint: name,
      command,
      ...process,
    })
    const result = await run()
    await this.noteEnd(journal, result.status, began, checkpoint === null ? null : wasRead())
    return result
  }

  /** A start from it is a part of how the job began. */
  private tells({ name }: Checkpoint): boolean {
    const entries = this.journal?.entries ?? []
    const last = attemptsOf(entries).at(-1)
    if (last === undefined) return false
    return last.start.checkpoint === null || (last.start.checkpoint === name && killedBehind(entries, name) !== null)
  }

  private async noteEnd(journal: Journal, status: number, began: number, hasRead: boolean | null): Promise<void> {
    const time = this.context.now()
    const end = { kind: 'exited', status } as const
    const { killedAt, areRunning } = otherRanks(await this.entriesNow(journal))
    const found = await this.watch.look({
      now: time,
      wait: areRunning ? this.context.wait : async () => undefined,
      thorough: true,
      cutAt: signalOf(end) === null ? killedAt : time,
    })
    await journal.addAll(found.map((one) => toCheckpointEntry(one, time)))
    const seconds = time - began
    const seen = { progress: found.length > 0, hasRead, oomKills: { group: 0, machine: 0 } }
    const facts = { end, uptime: seconds, ...seen, cause: null }
    const judgement = classify(facts, { minUptime, requeueOn: new Set() })
    await journal.add(toEndEntry(judgement, { time, status, seconds, lost: 0, next: 'nothing', hasRead }))
  }

  private async entriesNow(journal: Journal): Promise<readonly JournalEntry[]> {
    try {
      return await journal.readAgain()
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      return journal.entries
    }
  }
}
