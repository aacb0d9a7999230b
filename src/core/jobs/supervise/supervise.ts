/** A command run to its end: resumed, watched, judged, and started again. */
import { timeOf, type Checkpoint } from '../../checkpoint.js'
import { fillArguments, holdsPlaceholder, jobEnvironment, outcomeOf } from '../command/index.js'
import { beganFromNothing, type Journal } from '../../changes/journal/index.js'
import type { Storage } from '../../storage/storage.js'
import type { AttemptResult } from './attempt.js'
import { BatchJob } from './batch-job.js'
import { Budget } from './budget.js'
import { classify, hasComplied, wasKilled, type Cause, type Judgement } from './classify.js'
import { decide, type Decision } from './decide.js'
import { doubtedFirst } from './doubted-first-save.js'
import { toEndEntry } from './end-entry.js'
import { earlierOf, type Previous } from './earlier-starts.js'
import type { Chores, Job, JobPlan, Outcome } from './job-plan.js'
import { CheckpointLooks } from './look-for-checkpoints.js'
import { endMessage, notBlamedMessage, startMessage } from './messages.js'
import { toCheckpointEntry, unknownTo } from './metric-history.js'
import { OpenedCheckpoints } from './opened-checkpoints.js'
import { wholeOldestFirst, whyEnough } from './reasons-to-stop.js'
import { lastMoments, RequestsToStop } from './requests-to-stop.js'
import { chooseStart, type Start } from './resume.js'
import { RunningJob } from './running-job.js'
import { SetAside } from './set-aside.js'
import { hasReadOnlyOthers } from './starts-without-progress.js'
import { WatchedAttempt, type Session } from './watched-attempt.js'
import type { JobProcess, Machine } from './machine.js'

/** Throws CkptError as `chooseStart` does; whatever was started has ended then. */
export async function supervise(
  machine: Machine,
  storage: Storage,
  journal: Journal,
  plan: JobPlan,
  chores: Chores,
): Promise<Outcome> {
  const supervisor = new Supervisor({ machine, storage, journal, plan, chores })
  try {
    return await supervisor.run()
  } finally {
    supervisor.release()
  }
}

/** From the first start to the last end; an attempt is watched by WatchedAttempt. */
class Supervisor {
  private readonly batch: BatchJob | null
  private readonly requests: RequestsToStop
  private readonly setAside: SetAside
  private readonly session: Session
  private readonly budget: Budget
  private attempts = 0
  private previous: Previous | null = null

  constructor(private readonly job: Job) {
    const { plan, journal, machine } = job
    this.batch = plan.batch === null ? null : new BatchJob(plan.batch, journal, machine)
    this.requests = new RequestsToStop(job, this.batch)
    this.setAside = new SetAside(job, this.batch)
    this.session = {
      requests: this.requests,
      batch: this.batch,
      looks: new CheckpointLooks(job, this.requests.signal),
      simulations: [...plan.simulations].sort((a, b) => a.after - b.after),
    }
    this.budget = new Budget(plan.limits)
  }

  release(): void {
    this.requests.release()
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
    const { machine, chores } = this.job
    const start = await this.chooseStart()
    const { checkpoint } = start
    const why = await this.whyEnough(checkpoint)
    if (why !== null) {
      machine.tell(`nothing more to gain: ${why}; not starting`)
      return { status: 0, ending: 'done' }
    }
    const [command = '', ...args] = this.fill(checkpoint)
    const environment = this.environment(checkpoint)
    const inTheWay = await chores.clearObstacles(start, this.attempts)
    const opened = await OpenedCheckpoints.of(this.job.storage, start, machine)
    await this.session.looks.begin()
    const kills = machine.oomKills()
    // Before the command has the terminal.
    machine.tell(startMessage(this.job.plan.path, checkpoint, this.attempts, start.runs))
    const running = new RunningJob(await machine.start(command, args, environment), machine, this.job.plan.grace)
    this.requests.hold(running)
    await this.journalStart(checkpoint, this.usesPath ? [] : inTheWay, running.process)
    const attempt = new WatchedAttempt(this.job, this.session, running, this.attempts, kills)
    const [result] = await Promise.all([attempt.run(), opened.watch(running.process, machine, running.isOver)])
    const { status, failure } = outcomeOf(command, result.end)
    if (failure !== null) machine.tell(failure)
    const ended = { ...result, cause: await this.causeOf(result) }
    // With no uptime at all each start counts as one.
    const hasRead = this.job.plan.minUptime > 0 ? opened.hasReadChosen() : null
    const judgement = (await this.isFinished(ended, running)) ? finished : this.judge(ended, attempt, hasRead)
    if (result.checkpoints.length > 0) this.progress()
    return this.conclude({
      checkpoint,
      result: ended,
      status,
      judgement,
      attempt,
      running,
      opened: opened.names,
      hasRead,
    })
  }

  /** Takes up what the job of the batch system did before it was put back into the queue. */
  private isDoneBefore(batch: BatchJob): boolean {
    const { attempts, previous, spent, isDone } = earlierOf(this.job.journal.entries, batch.name)
    this.attempts = attempts
    this.previous = previous
    for (const ending of spent) this.budget.spend(ending)
    this.job.machine.tell(batch.describe())
    if (!isDone || !batch.continues || this.job.plan.again) return false
    this.job.machine.tell('the work is done already: nothing to start (--again starts it)')
    return true
  }

  /** Early stopping counts what was there before, though it be pruned later. */
  private async rememberScores(): Promise<void> {
    const { plan, storage, journal, machine } = this.job
    if (plan.enough.patience === null) return
    const there = await wholeOldestFirst(storage, plan.path, plan)
    const now = machine.now()
    await journal.addAll(unknownTo(journal.entries, there).map((one) => toCheckpointEntry(one, now)))
  }

  private whyEnough(newest: Checkpoint | null): Promise<string | null> {
    const { storage, plan, journal, machine } = this.job
    return whyEnough(storage, plan, journal.entries, newest, machine.now())
  }

  private chooseStart(tell = this.job.machine.tell): Promise<Start> {
    const { plan, machine, storage, journal } = this.job
    return chooseStart(storage, plan.path, plan.resume, {
      stateDirectory: plan.stateDirectory,
      now: machine.now(),
      wait: (milliseconds) => this.pause(milliseconds),
      signal: this.requests.signal,
      setAside: this.setAside.names,
      command: plan.command,
      fromNothing: beganFromNothing(journal.entries),
      doubted: doubtedFirst(journal.entries, plan.setAsideAfter),
      onPassedOver: ({ name, reasons }) => tell(`passed over ${name}: ${reasons.join('; ')}`),
    })
  }

  /** Nobody of ours is left to write before a second attempt, so nothing can be seen to change. */
  private async pause(milliseconds: number): Promise<void> {
    if (this.attempts === 1) await this.job.machine.sleep(milliseconds, this.requests.signal)
  }

  private fill(checkpoint: Checkpoint | null): string[] {
    const { command, resumeArgs } = this.job.plan
    return fillArguments(checkpoint === null ? command : [...command, ...resumeArgs], checkpoint)
  }

  private environment(checkpoint: Checkpoint | null): Record<string, string> {
    const { plan } = this.job
    return {
      ...jobEnvironment(plan.environment, checkpoint),
      CKPT_RUN: plan.path,
      CKPT_ATTEMPT: String(this.attempts),
      CKPT_REASON: this.previous?.ending ?? 'first',
      ...(this.previous?.status == null ? {} : { CKPT_PREVIOUS_EXIT: String(this.previous.status) }),
    }
  }

  /** The command is given the checkpoint to resume from, and does not search for one. */
  private get usesPath(): boolean {
    return [...this.job.plan.command, ...this.job.plan.resumeArgs].some(holdsPlaceholder)
  }

  private async journalStart(
    checkpoint: Checkpoint | null,
    inTheWay: readonly string[],
    { pid, started }: JobProcess,
  ): Promise<void> {
    const { plan, journal, machine } = this.job
    await journal.add({
      what: 'start',
      time: machine.now(),
      attempt: this.attempts,
      reason: this.previous?.ending ?? 'first',
      checkpoint: checkpoint?.name ?? null,
      ...(inTheWay.length === 0 ? {} : { inTheWay }),
      command: plan.command,
      host: plan.host,
      pid,
      started,
      job: this.batch?.name ?? null,
    })
  }

  /** A batch system that ends the job knows why; the signals that it sends for that say less. */
  private async causeOf({ end, cause }: AttemptResult): Promise<Cause | null> {
    const isOurs = cause !== null && cause.kind !== 'signal'
    if (this.batch === null || isOurs || (cause === null && !wasKilled(end))) return cause
    const ending = await this.batch.whyEnding()
    return ending === null ? cause : { kind: 'scheduler', title: this.batch.title, ending }
  }

  /**
   * An exit status of 0 after the warning mostly says that it has saved, and wants to go on. The work is done where it
   * was sent no signal, or where there is nothing more to gain.
   */
  private async isFinished({ end, cause, checkpoints }: AttemptResult, running: RunningJob): Promise<boolean> {
    if (cause?.kind !== 'warning' || end.kind !== 'exited' || end.status !== 0) return false
    const newest = checkpoints.at(-1)
    return !running.hasBeenSignalled || (newest !== undefined && (await this.whyEnough(newest)) !== null)
  }

  private judge(result: AttemptResult, attempt: WatchedAttempt, hasRead: boolean | null): Judgement {
    const { end, cause, uptime, checkpoints } = result
    const progress = checkpoints.length > 0
    const facts = { end, cause, uptime, oomKills: attempt.oomKills(), progress, hasRead }
    return classify(facts, this.job.plan)
  }

  /** All that was spent is given back. */
  private progress(): void {
    this.budget.giveBack()
    this.setAside.clear()
  }

  /** Clears up after an attempt, writes it down, and does what follows. Null: again. */
  private async conclude(ended: Ended): Promise<Outcome | null> {
    const decision = this.decideAfter(ended)
    const saved = await this.clearUpAfter(ended, decision)
    await this.journalEnd(ended, decision, saved)
    await this.reconsiderSetAside(ended, decision)
    const { checkpoint, result, status, running } = ended
    const { ending } = ended.judgement
    await this.job.chores.onEnd({
      ...{ attempt: this.attempts, ending, status, next: nextAfter(decision), checkpoint },
      saved: saved.map(({ name }) => name),
      remains: running.process.remains() !== false,
      hurry: this.requests.hurry,
    })
    this.previous = { ending, status }
    const { end, cause } = result
    const complied = cause?.kind === 'enough' && hasComplied(end, cause.sent)
    const outcome = { status: complied ? 0 : status, ending }
    if (decision.kind === 'finish') return outcome
    if (decision.kind === 'requeue') return (await this.requeue()) || ending !== 'requeue' ? outcome : null
    return (await this.isToRestart(decision.after)) ? null : outcome
  }

  private decideAfter({ result, status, judgement }: Ended): Decision {
    const { machine, plan } = this.job
    const { end, cause, uptime } = result
    const rules = { ...plan, noRequeue: this.batch === null ? 'no batch system' : this.batch.whyNot }
    const decision = decide({ end, cause, status, judgement }, this.budget, rules, machine.random())
    const message = endMessage(judgement, decision, { uptime, attempt: this.attempts, budget: this.budget })
    if (message !== null) machine.tell(message)
    return decision
  }

  /** What the attempt saved, up to when nothing of it is left. */
  private async clearUpAfter(
    { result, judgement, attempt, running }: Ended,
    { kind }: Decision,
  ): Promise<Checkpoint[]> {
    const { cause, checkpoints } = result
    // A command that came to its end by itself may have left something behind on purpose.
    const isCleared = kind !== 'finish' || judgement.ending === 'stopped' || cause?.kind === 'enough'
    const late = isCleared && (await running.clear()) ? await attempt.findLate() : []
    if (late.length > 0) this.progress()
    this.requests.drop(running)
    return [...checkpoints, ...late]
  }

  private async journalEnd(
    { result, status, judgement, opened, hasRead }: Ended,
    decision: Decision,
    saved: readonly Checkpoint[],
  ): Promise<void> {
    const { uptime: seconds, endedAt: time } = result
    const lost = judgement.ending === 'done' ? 0 : sinceLast(saved.at(-1), time, seconds)
    const next = nextAfter(decision)
    await this.job.journal.add(toEndEntry(judgement, { time, status, seconds, lost, next, opened, hasRead }))
  }

  /** Whether starts have failed so often that the checkpoint is passed over, or those that were are taken back. */
  private async reconsiderSetAside({ checkpoint, judgement, opened }: Ended, { kind }: Decision): Promise<void> {
    if (kind === 'restart' && checkpoint !== null) {
      if (hasReadOnlyOthers({ opened }, checkpoint.name)) this.job.machine.tell(notBlamedMessage(checkpoint, opened))
      await this.setAside.reconsider(checkpoint, () => this.chooseStart(() => undefined))
    }
    if (kind === 'finish' && judgement.ending !== 'done') await this.setAside.takeBack()
  }

  /** Waits that many seconds; false where somebody wants no other start, or the batch system makes it. */
  private async isToRestart(after: number): Promise<boolean> {
    const why = await this.requests.waitToRestart(after)
    if (this.requests.isWarned && (await this.requeue())) return false
    if (why !== null) this.job.machine.tell(`${why}: not starting again`)
    return why === null
  }

  /** False where that could not be. What follows ckpt in the script must not begin: the job is about to be ended. */
  private async requeue(): Promise<boolean> {
    if (!(await this.batch?.requeue())) return false
    await this.job.machine.sleep(lastMoments * 1000, this.requests.signal)
    return true
  }
}

const finished: Judgement = { ending: 'done', why: 'exit status 0' }

function nextAfter({ kind }: Decision): 'nothing' | 'restart' | 'requeue' {
  return kind === 'finish' ? 'nothing' : kind
}

/** Seconds of work after the last checkpoint, at most all of the attempt's. */
function sinceLast(last: Checkpoint | undefined, now: number, uptime: number): number {
  const saved = last === undefined ? null : timeOf(last)
  return saved === null ? uptime : Math.min(uptime, Math.max(0, now - saved))
}

interface Ended {
  readonly checkpoint: Checkpoint | null
  readonly result: AttemptResult
  readonly status: number
  readonly judgement: Judgement
  readonly attempt: WatchedAttempt
  readonly running: RunningJob
  /** Names of the checkpoints that it was seen to read. */
  readonly opened: readonly string[]
  /** As `OpenedCheckpoints.hasReadChosen` has it. */
  readonly hasRead: boolean | null
}
