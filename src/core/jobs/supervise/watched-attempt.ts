/** One attempt of a job, watched: its new checkpoints, whether it hangs, and whether it is to end. */
import { timeOf, type Checkpoint } from '../../checkpoint.js'
import type { SignalName } from '../command/index.js'
import { Attempt, type AttemptResult } from './attempt.js'
import type { BatchJob } from './batch-job.js'
import { signalOf, type Cause } from './classify.js'
import type { Job } from './job-plan.js'
import type { CheckpointLooks } from './look-for-checkpoints.js'
import { askMessage } from './messages.js'
import { toCheckpointEntry } from './metric-history.js'
import { whyEnough } from './reasons-to-stop.js'
import type { RequestsToStop } from './requests-to-stop.js'
import type { RunningJob } from './running-job.js'
import { carryOutSimulation, type Simulation } from './simulate.js'
import { activityOf, StallClock } from './stall.js'
import { StopFile } from './stop-file.js'
import { letJobSave } from './warn-before-limit.js'
import type { OomKills } from './machine.js'

/** What outlives an attempt. */
export interface Session {
  readonly requests: RequestsToStop
  readonly looks: CheckpointLooks
  readonly batch: BatchJob | null
  /** Those still to come, the next one first; an attempt has one at most. */
  readonly simulations: Simulation[]
}

export class WatchedAttempt {
  /** Aborts with the next whole checkpoint. */
  private readonly saved = new AbortController()
  private simulation: Simulation | undefined
  private readonly stopFile: StopFile | null
  private readonly stallClock: StallClock | null
  /** As of the last look at the job. */
  private lastKills: OomKills

  constructor(
    private readonly job: Job,
    private readonly session: Session,
    private readonly running: RunningJob,
    private readonly number: number,
    /** Before it was started. */
    private readonly firstKills: OomKills,
  ) {
    const { plan, storage, machine } = job
    this.simulation = session.simulations[0]
    this.stopFile = plan.stop.file === null ? null : new StopFile(storage, plan.stop.file)
    this.stallClock = plan.stall === null ? null : new StallClock(plan.stall, machine.now())
    this.lastKills = firstKills
  }

  /** To the end of its first process. */
  async run(): Promise<AttemptResult> {
    const { machine } = this.job
    const { looks, requests } = this.session
    const watchers = {
      findNew: (end: AttemptResult['end'] | null) =>
        end === null
          ? looks.findLive(this.running.isOver)
          : looks.findLast(signalOf(end) === null ? null : machine.now()),
      onCheckpoint: (checkpoint: Checkpoint) => this.answerCheckpoint(checkpoint),
      findCause: (uptime: number) => this.findCause(uptime),
    }
    const options = {
      interval: (uptime: number) => this.secondsToNextLook(uptime),
      end: (cause: Cause) => this.ask(cause),
    }
    const attempt = new Attempt(machine, this.running, watchers, options)
    try {
      return await requests.during(attempt, () => attempt.run())
    } finally {
      await this.stopFile?.remove()
    }
  }

  /** What the last of its processes have saved after the first had ended, oldest first. */
  async findLate(): Promise<readonly Checkpoint[]> {
    const late = await this.session.looks.findLast()
    for (const checkpoint of late) await this.note(checkpoint)
    return late
  }

  /** Processes that were killed because memory ran out: of its group since the start, of the machine since the last look. */
  oomKills(): { readonly group: number; readonly machine: number } {
    const { group, machine } = this.job.machine.oomKills()
    return {
      group: (group ?? 0) - (this.firstKills.group ?? 0),
      machine: (machine ?? 0) - (this.lastKills.machine ?? 0),
    }
  }

  private secondsToNextLook(uptime: number): number {
    const { looks, requests } = this.session
    return Math.min(looks.interval(requests.isWarned), Math.max(0, (this.simulation?.after ?? Infinity) - uptime))
  }

  private async note(checkpoint: Checkpoint): Promise<void> {
    const { journal, machine, chores } = this.job
    await journal.add(toCheckpointEntry(checkpoint, machine.now()))
    await chores.onCheckpoint(checkpoint, this.number)
  }

  private async answerCheckpoint(checkpoint: Checkpoint): Promise<Cause | null> {
    const { storage, journal, plan, machine, chores } = this.job
    await this.note(checkpoint)
    // One that is only seen now may have been there when the warning came: it is not an answer to it.
    if ((timeOf(checkpoint) ?? Infinity) >= this.session.requests.warnedAt) this.saved.abort()
    if ((await chores.stopAsked()) === 'after-next-checkpoint') return { kind: 'stop', sent: this.stopSignal }
    const why = await whyEnough(storage, plan, journal.entries, checkpoint, machine.now())
    return why === null ? null : { kind: 'enough', why, sent: this.stopSignal }
  }

  private async findCause(uptime: number): Promise<Cause | null> {
    const { machine, chores } = this.job
    this.lastKills = machine.oomKills()
    if ((await chores.stopAsked()) === 'now') return { kind: 'stop', sent: this.stopSignal }
    if (this.simulation !== undefined && uptime >= this.simulation.after) {
      const { ending } = this.simulation
      this.simulation = undefined
      this.session.simulations.shift()
      return { kind: 'simulated', ending }
    }
    return this.findStall(this.stallClock)
  }

  private async findStall(clock: StallClock | null): Promise<Cause | null> {
    if (clock === null) return null
    const { storage, journal, plan, machine } = this.job
    const state = `${journal.entries.length} ${machine.outputSize() ?? '-'} ${await activityOf(storage, plan.watch)}`
    const seconds = clock.look(state, machine.now())
    return seconds === null ? null : { kind: 'stall', seconds }
  }

  private async ask(cause: Cause): Promise<void> {
    if (cause.kind === 'warning') return this.letSave()
    const { running, job } = this
    job.machine.tell(askMessage(cause))
    switch (cause.kind) {
      case 'simulated':
        carryOutSimulation(cause.ending, running, job.plan.checkpointSignal ?? 'SIGUSR1')
        return
      case 'enough':
      case 'stop':
        return this.askToStop(cause.sent)
      default:
        running.ask('SIGTERM')
    }
  }

  /** The job looks for the stop file when it has the time: no grace runs. */
  private async askToStop(signal: SignalName | null): Promise<void> {
    if (signal !== null) {
      this.running.ask(signal)
      return
    }
    const { plan, machine } = this.job
    const failure = (await this.stopFile?.make()) ?? null
    if (failure === null) return
    machine.tell(`the stop file could not be made, so it gets ${plan.stop.signal}: ${failure}`)
    this.running.ask(plan.stop.signal)
  }

  private async letSave(): Promise<void> {
    const { checkpointSignal: signal, grace } = this.job.plan
    const timeLeft = this.session.batch?.timeLeft ?? null
    await letJobSave(this.running, this.job.machine, { signal, timeLeft, grace, saved: this.saved.signal })
  }

  /** Null: there is a stop file for that. */
  private get stopSignal(): SignalName | null {
    return this.stopFile === null ? this.job.plan.stop.signal : null
  }
}
