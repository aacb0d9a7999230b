/** A command run to its end: resumed, watched, judged, and started again. */
import { timeOf, type Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { fillArguments, holdsPlaceholder, jobEnvironment, outcomeOf, type SignalName } from '../command/index.js'
import { beganFromNothing, type Journal, type Next } from '../../changes/journal/index.js'
import type { StateLocation } from '../../runs/index.js'
import type { BatchSystem } from '../schedulers/index.js'
import { quietly, type StopTime } from '../../changes/state/index.js'
import type { Storage } from '../../storage/storage.js'
import { Attempt, type AttemptResult } from './attempt.js'
import type { BackOff } from './back-off.js'
import { barrenStarts } from './starts-without-progress.js'
import { BatchJob } from './batch-job.js'
import { Budget, type Limits } from './budget.js'
import { classify, hasComplied, signalOf, wasKilled, type Cause, type Ending, type Judgement } from './classify.js'
import { inSeconds } from './in-seconds.js'
import { decide, type Decision } from './decide.js'
import { earlierOf, type Previous } from './earlier-starts.js'
import { wholeOldestFirst, whyEnough, type Enough } from './reasons-to-stop.js'
import { toCheckpointEntry, unknownTo } from './metric-history.js'
import { Leash } from './end-job.js'
import { letSave } from './warn-before-limit.js'
import { Reins } from './signal-relay.js'
import { chooseStart, type ResumeRequest, type Start } from './resume.js'
import { carryOutSimulation, isSudden, type Simulation } from './simulate.js'
import { pulseOf, StallClock } from './stall.js'
import { CheckpointWatch } from './watch-checkpoints.js'
import type { JobProcess, OomKills, World } from './world.js'

export interface JobPlan extends StateLocation {
  /** Absolute path of the run, as it was named: it may not be there yet, or lie above the run. */
  readonly path: string
  /** With placeholders. */
  readonly command: readonly string[]
  /** Added to it when there is a checkpoint to resume from. */
  readonly resumeArgs: readonly string[]
  readonly resume: ResumeRequest
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly limits: Limits
  readonly backOff: BackOff
  readonly noRetryOn: ReadonlySet<number>
  readonly requeueOn: ReadonlySet<number>
  /** Seconds. */
  readonly minUptime: number
  /** Seconds between asking the job to end and SIGKILL. */
  readonly grace: number
  /** Seconds without a sign of life; null: it may be silent for ever. */
  readonly stall: number | null
  /** Absolute paths whose change is a sign of life. */
  readonly watch: readonly string[]
  /** Seconds between two looks at the run, which come less often where a look takes its time. */
  readonly interval: { readonly least: number; readonly most: number }
  /** Starts from one checkpoint that bring nothing, after which the one before it is tried. */
  readonly setAsideAfter: number
  readonly enough: Enough
  /** How a job is asked to end that may: by a signal, or by making this file (absolute). */
  readonly stop: { readonly signal: SignalName; readonly file: string | null }
  readonly simulations: readonly Simulation[]
  /** The batch system's job that this runs in; null outside of any. */
  readonly batch: BatchSystem | null
  /** The signal by which the batch system says that the time limit is near. */
  readonly warning: SignalName | null
  /** What is sent to the job then, for it to save; null: nothing, it saves often enough. */
  readonly checkpointSignal: SignalName | null
  /** Starts although the work is done. */
  readonly again: boolean
  readonly host: string
}

/** What else is done around an attempt. */
export interface Chores {
  /** Makes the run agree with the start. Gives the names that the framework may still take before the chosen one. */
  readonly clearTheWay: (start: Start, attempt: number) => Promise<readonly string[]>
  readonly onCheckpoint: (checkpoint: Checkpoint, attempt: number) => Promise<void>
  readonly onEnd: (report: EndReport) => Promise<void>
  /** Marks a checkpoint, or takes the marks back. */
  readonly setAside: (checkpoint: Checkpoint, starts: number) => Promise<void>
  readonly takeBack: (checkpoints: readonly Checkpoint[]) => Promise<void>
  /** What somebody asked for in another shell. */
  readonly stopAsked: () => Promise<StopTime | null>
}

export interface EndReport {
  readonly attempt: number
  readonly ending: Ending
  readonly status: number
  readonly next: Next
  /** What it had resumed from. */
  readonly checkpoint: Checkpoint | null
  /** Names of what it saved, oldest first. */
  readonly saved: readonly string[]
  /** Some of the job's processes may be there still, and write. */
  readonly remains: boolean
  readonly hurry: Hurry
}

/** Time is short: the job is being ended, and ckpt with it. */
export interface Hurry {
  /** Has aborted, or will, when it is. */
  readonly signal: AbortSignal
  /** That there are then, as of now. */
  readonly seconds: number
}

export interface Outcome {
  readonly status: number
  readonly ending: Ending
}

/** Throws CkptError as `chooseStart` does; whatever was started has ended then. */
export async function supervise(
  world: World,
  storage: Storage,
  journal: Journal,
  plan: JobPlan,
  chores: Chores,
): Promise<Outcome> {
  const supervisor = new Supervisor(world, storage, journal, plan, chores)
  try {
    return await supervisor.run()
  } finally {
    supervisor.release()
  }
}

class Supervisor {
  private readonly reins: Reins
  private readonly budget: Budget
  private readonly watch: CheckpointWatch
  private readonly batch: BatchJob | null
  /** Aborts when the batch system says that the time limit is near. */
  private readonly warned = new AbortController()
  /** Unix seconds; before that every checkpoint is as good as another. */
  private warnedAt = -Infinity
  private current: Attempt | null = null
  /** Of the attempt that runs; aborts with the next whole checkpoint. */
  private saved = new AbortController()
  private attempts = 0
  private previous: Previous | null = null
  /** Set aside since the last progress. */
  private aside: Checkpoint[] = []
  private readonly simulations: Simulation[]
  /** At most one an attempt. */
  private simulation: Simulation | undefined
  private hasStopFile = false
  /** Seconds of work, not of waiting. */
  private lookTook = 0
  private readonly began: number
  /** As of the last look at the job. */
  private lastKills: OomKills = { group: null, machine: null }

  constructor(
    private readonly world: World,
    private readonly storage: Storage,
    private readonly journal: Journal,
    private readonly plan: JobPlan,
    private readonly chores: Chores,
  ) {
    this.batch = plan.batch === null ? null : new BatchJob(plan.batch, journal, world)
    this.reins = new Reins(world.signals, (signal) => this.isWarning(signal))
    this.budget = new Budget(plan.limits)
    this.simulations = [...plan.simulations].sort((a, b) => a.after - b.after)
    this.began = world.now()
    this.watch = new CheckpointWatch(storage, plan.path, plan)
  }

  release(): void {
    this.reins.release()
  }

  async run(): Promise<Outcome> {
    if (this.batch !== null && this.isDoneBefore(this.batch)) return { status: 0, ending: 'done' }
    await this.rememberScores()
    for (;;) {
      const outcome = await this.once()
      if (outcome !== null) return outcome
    }
  }

  /** Null: again. */
  private async once(): Promise<Outcome | null> {
    this.attempts += 1
    const start = await this.chooseStart()
    const { checkpoint } = start
    const why = await this.whyEnough(checkpoint)
    if (why !== null) {
      this.world.tell(`nothing more to gain: ${why}; not starting`)
      return { status: 0, ending: 'done' }
    }
    const [command = '', ...args] = this.fill(checkpoint)
    const environment = this.environment(checkpoint)
    const inTheWay = await this.chores.clearTheWay(start, this.attempts)
    await this.watch.begin()
    const kills = this.world.oomKills()
    this.lastKills = kills
    // Before the command has the terminal.
    this.tellStart(checkpoint)
    const leash = new Leash(await this.world.start(command, args, environment), this.world, this.plan.grace)
    this.reins.hold(leash)
    await this.journalStart(checkpoint, this.usesPath ? [] : inTheWay, leash.process)
    const result = await this.attend(leash)
    const { status, failure } = outcomeOf(command, result.end)
    if (failure !== null) this.world.tell(failure)
    const ended = { ...result, cause: await this.causeOf(result) }
    const judgement = (await this.isFinished(ended, leash)) ? finished : this.judge(ended, kills)
    if (result.checkpoints.length > 0) this.progress()
    return this.conclude({ checkpoint, result: ended, status, judgement }, leash)
  }

  /** Takes up what the job of the batch system did before it was put back into the queue. */
  private isDoneBefore(batch: BatchJob): boolean {
    const { attempts, previous, spent, isDone } = earlierOf(this.journal.entries, batch.name)
    this.attempts = attempts
    this.previous = previous
    for (const ending of spent) this.budget.spend(ending)
    this.world.tell(batch.describe())
    if (!isDone || !batch.continues || this.plan.again) return false
    this.world.tell('the work is done already: nothing to start (--again starts it)')
    return true
  }

  /** The batch system's last call is for ckpt: it passes on what makes the job save. */
  private isWarning(signal: SignalName): boolean {
    if (this.batch === null || signal !== this.plan.warning) return false
    const { timeLeft } = this.batch
    const left = timeLeft === null ? '' : ` (in ${inSeconds(timeLeft)})`
    if (!this.warned.signal.aborted) {
      this.warnedAt = this.world.now()
      this.world.tell(`${signal}: the time limit is near${left}`)
    }
    this.warned.abort()
    void this.current?.finish({ kind: 'warning', signal })
    return true
  }

  /** Early stopping counts what was there before, though it be pruned later. */
  private async rememberScores(): Promise<void> {
    if (this.plan.enough.patience === null) return
    const there = await wholeOldestFirst(this.storage, this.plan.path, this.plan)
    const now = this.world.now()
    await this.journal.add(...unknownTo(this.journal.entries, there).map((one) => toCheckpointEntry(one, now)))
  }

  private whyEnough(newest: Checkpoint | null): Promise<string | null> {
    return whyEnough(this.storage, this.plan, this.journal.entries, newest, this.world.now())
  }

  private chooseStart(tell = this.world.tell): Promise<Start> {
    const { plan, world } = this
    return chooseStart(this.storage, plan.path, plan.resume, {
      stateDirectory: plan.stateDirectory,
      now: world.now(),
      wait: (milliseconds) => this.pause(milliseconds),
      signal: this.reins.signal,
      setAside: this.aside.map(({ name }) => name),
      command: plan.command,
      fromNothing: beganFromNothing(this.journal.entries),
      onPassedOver: ({ name, reasons }) => tell(`passed over ${name}: ${reasons.join('; ')}`),
    })
  }

  /** Nobody of ours is left to write before a second attempt, so nothing can be seen to change. */
  private async pause(milliseconds: number): Promise<void> {
    if (this.attempts === 1) await this.world.sleep(milliseconds, this.reins.signal)
  }

  private fill(checkpoint: Checkpoint | null): string[] {
    const { command, resumeArgs } = this.plan
    return fillArguments(checkpoint === null ? command : [...command, ...resumeArgs], checkpoint)
  }

  private environment(checkpoint: Checkpoint | null): Record<string, string> {
    return {
      ...jobEnvironment(this.plan.environment, checkpoint),
      CKPT_RUN: this.plan.path,
      CKPT_ATTEMPT: String(this.attempts),
      CKPT_REASON: this.previous?.ending ?? 'first',
      ...(this.previous?.status == null ? {} : { CKPT_PREVIOUS_EXIT: String(this.previous.status) }),
    }
  }

  private tellStart(checkpoint: Checkpoint | null): void {
    const from = checkpoint === null ? 'no checkpoint yet: a first start' : `resuming from ${checkpoint.path}`
    this.world.tell(this.attempts === 1 ? from : `attempt ${this.attempts}: ${from}`)
  }

  /** The command is told what to resume from, and does not look for it. */
  private get usesPath(): boolean {
    return [...this.plan.command, ...this.plan.resumeArgs].some(holdsPlaceholder)
  }

  private async journalStart(
    checkpoint: Checkpoint | null,
    inTheWay: readonly string[],
    { pid, started }: JobProcess,
  ): Promise<void> {
    const { command, host } = this.plan
    await this.journal.add({
      what: 'start',
      time: this.world.now(),
      attempt: this.attempts,
      reason: this.previous?.ending ?? 'first',
      checkpoint: checkpoint?.name ?? null,
      ...(inTheWay.length === 0 ? {} : { inTheWay }),
      command,
      host,
      pid,
      started,
      job: this.batch?.name ?? null,
    })
  }

  private async attend(leash: Leash): Promise<AttemptResult> {
    const attempt = new Attempt(
      this.world,
      leash,
      {
        findNew: (end) => this.findNew(end !== null, end === null || signalOf(end) === null ? null : this.world.now()),
        onCheckpoint: (checkpoint) => this.welcome(checkpoint),
        findCause: this.causes(),
      },
      {
        interval: (uptime) => this.intervalAt(uptime),
        end: (cause) => this.ask(leash, cause),
      },
    )
    this.current = attempt
    this.saved = new AbortController()
    if (this.warned.signal.aborted) void attempt.finish({ kind: 'warning', signal: this.plan.warning ?? 'SIGUSR1' })
    const note = () => {
      attempt.note({ kind: 'signal', signal: this.reins.endedBy ?? 'SIGTERM' })
      // Its command may need all the time that is left between SIGTERM and SIGKILL.
      if (this.plan.limits['timed-out'] > 0) void this.batch?.requeueIfOver()
    }
    if (this.reins.signal.aborted) note()
    this.reins.signal.addEventListener('abort', note)
    try {
      return await attempt.run()
    } finally {
      await this.takeStopFile()
      this.reins.signal.removeEventListener('abort', note)
      this.current = null
    }
  }

  /** Seconds until the next look. */
  private intervalAt(uptime: number): number {
    const { least, most } = this.plan.interval
    const usual = this.warned.signal.aborted ? least : Math.max(least, rarely * this.lookTook)
    return Math.min(usual, most, Math.max(0, (this.simulation?.after ?? Infinity) - uptime))
  }

  private async ask(leash: Leash, cause: Cause): Promise<void> {
    if (cause.kind === 'warning') return this.letSave(leash)
    const isKilled = cause.kind === 'simulated' && isSudden(cause.ending)
    this.world.tell(`${isKilled ? 'killing it' : 'asking it to end'}: ${describeCause(cause)}`)
    switch (cause.kind) {
      case 'simulated':
        carryOutSimulation(cause.ending, leash, this.plan.checkpointSignal ?? 'SIGUSR1')
        return
      case 'enough':
      case 'stop':
        if (cause.sent === null) return this.makeStopFile(leash)
        leash.ask(cause.sent)
        return
      default:
        leash.ask('SIGTERM')
    }
  }

  private async letSave(leash: Leash): Promise<void> {
    const { checkpointSignal: signal, grace } = this.plan
    const { signal: saved } = this.saved
    await letSave(leash, this.world, { signal, timeLeft: this.batch?.timeLeft ?? null, grace, saved })
  }

  /** A batch system that ends the job knows why; the signals that it sends for that say less. */
  private async causeOf({ end, cause }: AttemptResult): Promise<Cause | null> {
    const isOurs = cause !== null && cause.kind !== 'signal'
    if (this.batch === null || isOurs || (cause === null && !wasKilled(end))) return cause
    const ending = await this.batch.whyEnding()
    return ending === null ? cause : { kind: 'scheduler', title: this.batch.title, ending }
  }

  /** The job looks for it when it has the time: no grace runs. */
  private async makeStopFile(leash: Leash): Promise<void> {
    const { file } = this.plan.stop
    if (file === null) return
    try {
      await (await this.storage.create(file)).close()
      this.hasStopFile = true
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.world.tell(`the stop file could not be made, so it gets ${this.plan.stop.signal}: ${error.message}`)
      leash.ask(this.plan.stop.signal)
    }
  }

  private async takeStopFile(): Promise<void> {
    const { file } = this.plan.stop
    if (file === null || !this.hasStopFile) return
    this.hasStopFile = false
    // The job may have taken it away itself.
    await quietly(() => this.storage.unlink(file))
  }

  private async findNew(isOver: boolean, cutAt: number | null = null): Promise<readonly Checkpoint[]> {
    const began = this.world.now()
    let waited = 0
    const wait = async (milliseconds: number) => {
      if (isOver) return
      const before = this.world.now()
      await this.world.sleep(milliseconds, this.reins.signal)
      waited += this.world.now() - before
    }
    const found = await this.watch.look({ now: began, wait, thorough: isOver, cutAt })
    this.lookTook = this.world.now() - began - waited
    return found
  }

  /** What the last of its processes have saved after the first had ended. */
  private async welcomeLate(): Promise<readonly Checkpoint[]> {
    const late = await this.findNew(true)
    for (const checkpoint of late) await this.note(checkpoint)
    if (late.length > 0) this.progress()
    return late
  }

  /** All that was spent is given back. */
  private progress(): void {
    this.budget.giveBack()
    this.aside = []
  }

  private async note(checkpoint: Checkpoint): Promise<void> {
    await this.journal.add(toCheckpointEntry(checkpoint, this.world.now()))
    await this.chores.onCheckpoint(checkpoint, this.attempts)
  }

  private async welcome(checkpoint: Checkpoint): Promise<Cause | null> {
    await this.note(checkpoint)
    // One that is only seen now may have been there when the warning came: it is no answer to it.
    if ((timeOf(checkpoint) ?? Infinity) >= this.warnedAt) this.saved.abort()
    if ((await this.chores.stopAsked()) === 'after-next-checkpoint') return { kind: 'stop', sent: this.stopSignal }
    const why = await this.whyEnough(checkpoint)
    return why === null ? null : { kind: 'enough', why, sent: this.stopSignal }
  }

  /** Null: there is a stop file for that. */
  private get stopSignal(): SignalName | null {
    return this.plan.stop.file === null ? this.plan.stop.signal : null
  }

  private causes(): (uptime: number) => Promise<Cause | null> {
    const { stall, watch } = this.plan
    const clock = stall === null ? null : new StallClock(stall, this.world.now())
    this.simulation ??= this.simulations.shift()
    return async (uptime) => {
      this.lastKills = this.world.oomKills()
      if ((await this.chores.stopAsked()) === 'now') return { kind: 'stop', sent: this.stopSignal }
      if (this.simulation !== undefined && uptime >= this.simulation.after) {
        const { ending } = this.simulation
        this.simulation = undefined
        return { kind: 'simulated', ending }
      }
      if (clock === null) return null
      const seen = this.journal.entries.length
      const state = `${seen} ${this.world.outputSize() ?? '-'} ${await pulseOf(this.storage, watch)}`
      const seconds = clock.look(state, this.world.now())
      return seconds === null ? null : { kind: 'stall', seconds }
    }
  }

  /**
   * An exit status of 0 after the warning mostly says that it has saved, and wants to go on. The work is done where it
   * was told nothing, or where there is nothing more to gain.
   */
  private async isFinished({ end, cause, checkpoints }: AttemptResult, leash: Leash): Promise<boolean> {
    if (cause?.kind !== 'warning' || end.kind !== 'exited' || end.status !== 0) return false
    const newest = checkpoints.at(-1)
    return !leash.isTold || (newest !== undefined && (await this.whyEnough(newest)) !== null)
  }

  private judge({ end, cause, uptime, checkpoints }: AttemptResult, before: OomKills): Judgement {
    const after = this.world.oomKills()
    const oomKills = {
      group: (after.group ?? 0) - (before.group ?? 0),
      machine: (after.machine ?? 0) - (this.lastKills.machine ?? 0),
    }
    return classify({ end, cause, uptime, oomKills, progress: checkpoints.length > 0 }, this.plan)
  }

  private async conclude({ checkpoint, result, status, judgement }: Ended, leash: Leash): Promise<Outcome | null> {
    const { ending } = judgement
    const rules = { ...this.plan, noRequeue: this.batch === null ? 'no batch system' : this.batch.whyNot }
    const { end, cause } = result
    const decision = decide({ end, cause, status, judgement }, this.budget, rules, this.world.random())
    const next = decision.kind === 'finish' ? 'nothing' : decision.kind
    this.tellEnd(judgement, result, decision)
    // A command that came to its end by itself may have left something behind on purpose.
    const isCleared = decision.kind !== 'finish' || ending === 'stopped' || cause?.kind === 'enough'
    const late = isCleared && (await leash.clear()) ? await this.welcomeLate() : []
    this.reins.drop(leash)
    const { uptime: seconds, endedAt: time, checkpoints } = result
    const lost = ending === 'done' ? 0 : sinceLast([...checkpoints, ...late].at(-1), time, seconds)
    await this.journal.add({ what: 'end', time, ending, why: judgement.why, status, seconds, lost, next })
    if (decision.kind === 'restart' && checkpoint !== null) await this.reconsider(checkpoint)
    if (decision.kind === 'finish' && ending !== 'done') await this.takeBack()
    const remains = leash.process.remains() !== false
    const { attempts: attempt, hurry } = this
    const saved = [...checkpoints, ...late].map(({ name }) => name)
    await this.chores.onEnd({ attempt, ending, status, next, checkpoint, saved, remains, hurry })
    this.previous = { ending, status }
    const complied = cause?.kind === 'enough' && hasComplied(end, cause.sent)
    const outcome = { status: complied ? 0 : status, ending }
    if (decision.kind === 'finish') return outcome
    if (decision.kind === 'requeue') return (await this.requeue()) || ending !== 'requeue' ? outcome : null
    const why = await this.waitToRestart(decision.after)
    if (this.warned.signal.aborted && (await this.requeue())) return outcome
    if (why === null) return null
    this.world.tell(`${why}: not starting again`)
    return outcome
  }

  private get hurry(): Hurry {
    const left = (this.batch?.timeLeft ?? Infinity) - lastMoments
    return {
      signal: AbortSignal.any([this.reins.signal, this.warned.signal]),
      seconds: Math.max(1, Math.min(this.plan.grace, left)),
    }
  }

  /** Gives why there is to be no other start; null after so many seconds, or at the time limit's warning. */
  private async waitToRestart(seconds: number): Promise<string | null> {
    const end = this.world.now() + seconds
    const wakes = AbortSignal.any([this.reins.signal, this.warned.signal])
    for (;;) {
      if (this.reins.endedBy !== null) return this.reins.endedBy
      if ((await this.chores.stopAsked()) === 'now') return 'ckpt stop'
      const left = end - this.world.now()
      if (left <= 0 || this.warned.signal.aborted) return null
      await this.world.sleep(Math.min(left, this.plan.interval.least) * 1000, wakes)
    }
  }

  /** False where that could not be. What follows ckpt in the script must not begin: the job is about to be ended. */
  private async requeue(): Promise<boolean> {
    if (!(await this.batch?.requeue())) return false
    await this.world.sleep(lastMoments * 1000, this.reins.signal)
    return true
  }

  /** After several starts that brought nothing the checkpoint itself may be the cause, if there is one before it. */
  private async reconsider(checkpoint: Checkpoint): Promise<void> {
    const { setAsideAfter } = this.plan
    const job = this.batch?.name ?? null
    const starts = barrenStarts(this.journal.entries, checkpoint.name, ({ start }) =>
      job === null ? start.time >= this.began : start.job?.id === job.id,
    )
    if (starts < setAsideAfter) return
    this.aside.push(checkpoint)
    try {
      await this.chooseStart(() => undefined)
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.aside.pop()
      return
    }
    this.world.tell(`${checkpoint.name} is set aside: ${starts} starts from it saved no new checkpoint`)
    await this.journal.add({ what: 'set-aside', time: this.world.now(), checkpoint: checkpoint.name })
    await this.chores.setAside(checkpoint, starts)
  }

  /** The one before brought nothing either: then it was not the checkpoint. */
  private async takeBack(): Promise<void> {
    if (this.aside.length === 0) return
    const time = this.world.now()
    for (const { name } of this.aside) await this.journal.add({ what: 'taken-back', time, checkpoint: name })
    await this.chores.takeBack(this.aside)
  }

  private tellEnd(judgement: Judgement, { uptime }: AttemptResult, decision: Decision): void {
    const { ending } = judgement
    if (ending === 'done' && decision.kind === 'finish') return
    const what = `${describe(judgement)} after ${inSeconds(uptime)}`
    if (decision.kind === 'restart' && ending !== 'done' && ending !== 'stopped') {
      const [limit, left] = [this.budget.limitOf(ending), this.budget.left(ending)]
      const budget = limit === Infinity ? '' : `, ${left} of ${limit} retries left`
      const wait = decision.after < 0.05 ? 'at once' : `in ${inSeconds(decision.after)}`
      this.world.tell(`${what}; starting again ${wait} (attempt ${this.attempts + 1}${budget})`)
    } else {
      const reason = decision.kind === 'finish' && decision.why !== null ? `; ${decision.why}` : ''
      this.world.tell(`${what}${reason}`)
    }
  }
}

/** Wait 50 times as long as the last scan took. */
const rarely = 50

const finished: Judgement = { ending: 'done', why: 'exit status 0' }

/** Seconds that a batch system takes to end a job that it has put back into the queue. */
const lastMoments = 5

/** Seconds of work after the last checkpoint, at most all of the attempt's. */
function sinceLast(last: Checkpoint | undefined, now: number, uptime: number): number {
  const saved = last === undefined ? null : timeOf(last)
  return saved === null ? uptime : Math.min(uptime, Math.max(0, now - saved))
}

const words: Readonly<Record<Ending, string>> = {
  done: 'done',
  stopped: 'stopped',
  failed: 'failed',
  'out-of-memory': 'out of memory',
  'timed-out': 'timed out',
  preempted: 'preempted',
  'never-started': 'never started',
  hung: 'hung',
  requeue: 'asked to be started again',
}

function describe({ ending, why }: Judgement): string {
  return ending === 'failed' && why.startsWith('exit status') ? `failed with ${why}` : `${words[ending]} (${why})`
}

function describeCause(cause: Cause): string {
  switch (cause.kind) {
    case 'signal':
    case 'warning':
      return cause.signal
    case 'stop':
      return 'ckpt stop'
    case 'enough':
      return `nothing more to gain: ${cause.why}`
    case 'stall':
      return `no activity for ${inSeconds(cause.seconds)}`
    case 'scheduler':
      return cause.title
    case 'simulated':
      return `as if ${words[cause.ending]} (--simulate)`
  }
}

interface Ended {
  readonly checkpoint: Checkpoint | null
  readonly result: AttemptResult
  readonly status: number
  readonly judgement: Judgement
}
