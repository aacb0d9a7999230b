/**
 * What `ckpt recover -- COMMAND` writes down of a start from nothing, so that the next one knows that nothing was lost
 * when that was cut off amid its first save. A start from a checkpoint is written down only where the one before it
 * began from nothing: it ends that.
 */
import type { Checkpoint } from '../../checkpoint.js'
import {
  attemptsOf,
  beganFromNothing,
  Journal,
  otherRanks,
  type Began,
  type JournalEntry,
} from '../../changes/journal/index.js'
import type { ChildOutcome } from '../command/index.js'
import { CkptError } from '../../errors.js'
import type { StateLocation } from '../../runs/index.js'
import { stateFolderOf } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'
import { classify, signalOf } from './classify.js'
import { toCheckpointEntry } from './metric-history.js'
import { CheckpointWatch } from './watch-checkpoints.js'

export interface LoneContext extends StateLocation {
  /** Unix seconds. */
  readonly now: () => number
  readonly command: readonly string[]
  readonly host: string
  /** Resolves after that many milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>
  /** Called once when the start cannot be written down. */
  readonly onFailure: (message: string) => void
}

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

  /** Runs the job between the two entries. */
  async during(checkpoint: Checkpoint | null, run: () => Promise<ChildOutcome>): Promise<ChildOutcome> {
    const { journal } = this
    if (journal === null) return run()
    const last = attemptsOf(journal.entries).at(-1)
    if (checkpoint !== null && last?.start.checkpoint !== null) return run()
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
    await this.noteEnd(journal, result.status, began)
    return result
  }

  private async noteEnd(journal: Journal, status: number, began: number): Promise<void> {
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
    const seen = { progress: found.length > 0, hasRead: null, oomKills: { group: 0, machine: 0 } }
    const facts = { end, uptime: seconds, ...seen, cause: null }
    const { ending, why } = classify(facts, { minUptime: 0, requeueOn: new Set() })
    await journal.add({ what: 'end', time, ending, why, status, seconds, lost: 0, next: 'nothing' })
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
