/** What `ckpt run` does around its job: hooks, pruning, marks. A failure here never ends the job. */
import { relative, sep } from 'node:path'
import { utcOffset, wait } from '../machine/clock.js'
import type { Checkpoint } from '../core/checkpoint.js'
import { CkptError } from '../core/errors.js'
import { removalError } from '../core/changes/disposal/index.js'
import { jobEnvironment, namesCheckpoint } from '../core/jobs/command/index.js'
import {
  carryOut,
  clearObstacles,
  describePolicy,
  intentOf,
  openRunIfAny,
  openRunToGoOnIfAny,
  planPrune,
  setAside,
  takeBack,
  tellObstacles,
  type ClearedFolder,
  type ObstacleContext,
  type ObstacleRequest,
  type PruneRequest,
  type StateLocation,
} from '../core/runs/index.js'
import {
  forgetStopRequest,
  readStopRequest,
  stateFolderOf,
  withLock,
  type LockOptions,
  type StateFolder,
} from '../core/changes/state/index.js'
import type { Storage } from '../core/storage/storage.js'
import type { Chores, JobPlan } from '../core/jobs/supervise/index.js'
import { copyTime } from '../machine/exact-times.js'
import { heldForWriting } from '../machine/open-files.js'
import { clearedLines } from '../render/cleared-obstacles.js'
import { describePointed, renderMissing } from '../render/prune.js'
import { UserCommands } from '../machine/user-commands.js'

export interface ChoreOptions {
  readonly onCheckpoint: string | undefined
  readonly onExit: string | undefined
  /** Null: nothing is pruned. */
  readonly prune: PruneRequest | null
  readonly trash: boolean
  readonly lock: LockOptions & StateLocation
  readonly tell: (text: string) => void
}

export async function choresOf(storage: Storage, plan: JobPlan, options: ChoreOptions): Promise<Chores> {
  const chores = new JobChores(storage, plan, options, await stateFolderOf(storage, plan.path, plan.stateDirectory))
  await chores.forgetEarlierRequest()
  return chores
}

class JobChores implements Chores {
  private readonly commands: UserCommands

  constructor(
    private readonly storage: Storage,
    private readonly plan: JobPlan,
    private readonly options: ChoreOptions,
    private readonly state: StateFolder,
  ) {
    this.commands = new UserCommands(options.tell)
  }

  /** What was asked of an earlier job is not meant for this one. */
  async forgetEarlierRequest(): Promise<void> {
    await this.attempt('an old request to stop', () => forgetStopRequest(this.storage, this.state))
  }

  readonly clearObstacles: Chores['clearObstacles'] = async (start, number) => {
    const { verify, keys } = this.plan.resume
    const look = { now: this.options.lock.now(), wait: number === 1 ? wait : atOnce }
    const standing: string[] = []
    for (const folder of start.folders) {
      const { cutSince, doubted } = folder
      standing.push(...(await this.clear(folder, { verify, keys, cutSince, doubted }, look)))
    }
    return standing
  }

  /** Gives the names of what stands in the way still. */
  private async clear(
    { run, checkpoint }: ClearedFolder,
    request: ObstacleRequest,
    look: ObstacleContext,
  ): Promise<string[]> {
    const { plan, storage } = this
    const { lock, tell } = this.options
    const cleared = plan.resume.leavesDamaged
      ? await tellObstacles(storage, run, checkpoint, request, look)
      : await clearObstacles(storage, run, checkpoint, request, { stateDirectory: plan.stateDirectory, lock, look })
    const isNamed = namesCheckpoint([...plan.command, ...plan.resumeArgs])
    for (const line of clearedLines(cleared, run, checkpoint, isNamed)) tell(line)
    return cleared.standing.map((one) => one.checkpoint.name)
  }

  readonly onCheckpoint: Chores['onCheckpoint'] = async (checkpoint, number) => {
    this.start('on-checkpoint', checkpoint, { CKPT_ATTEMPT: String(number) })
  }

  readonly onEnd: Chores['onEnd'] = async ({ attempt, ending, status, next, checkpoint, saved, remains, hurry }) => {
    // What copies a checkpoint away must have it before it is pruned.
    await this.commands.finish(hurry)
    const { prune } = this.options
    if (prune !== null) {
      await this.attempt('nothing was pruned', () =>
        pruneJob(this.storage, this.plan, { ...prune, ownStart: saved }, { ...this.options, remains }),
      )
    }
    if (this.options.onExit === undefined) return
    this.start('on-exit', checkpoint, {
      CKPT_REASON: ending,
      CKPT_EXIT: String(status),
      CKPT_NEXT: next,
      CKPT_ATTEMPT: String(attempt),
    })
    await this.commands.finish(hurry)
  }

  /** The user's command for this, where there is one. */
  private start(flag: 'on-checkpoint' | 'on-exit', checkpoint: Checkpoint | null, more: Record<string, string>): void {
    const command = flag === 'on-exit' ? this.options.onExit : this.options.onCheckpoint
    if (command === undefined) return
    const environment = { ...jobEnvironment(this.plan.environment, checkpoint), CKPT_RUN: this.plan.path, ...more }
    this.commands.add(flag, command, environment)
  }

  readonly setAside: Chores['setAside'] = (checkpoint, starts) =>
    this.attempt('it is not remembered', () => setAside(this.storage, checkpoint, starts, this.options.lock))

  readonly takeBack: Chores['takeBack'] = async (checkpoints) => {
    const [first] = checkpoints
    if (first === undefined) return
    const names = checkpoints.map(({ name }) => name)
    const { lock, tell } = this.options
    await this.attempt('the marks stay', () => takeBack(this.storage, first.run, names, lock))
    tell(`${names.join(', ')}: no longer set aside, because starts from the checkpoint before it saved nothing either`)
  }

  readonly stopAsked: Chores['stopAsked'] = () => readStopRequest(this.storage, this.state)

  private async attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.options.tell(`${what}: ${error.message}`)
    }
  }
}

/** Each folder of a job that is spread over several has its own. */
async function pruneJob(
  storage: Storage,
  plan: JobPlan,
  request: PruneRequest,
  options: ChoreOptions & { readonly remains: boolean },
): Promise<void> {
  const { stateDirectory, command } = plan
  const opened = await openRunToGoOnIfAny(storage, plan.path, { stateDirectory, mayBeSpread: true, command })
  for (const { path } of opened?.parts ?? []) {
    const below = `${relative(plan.path, path).split(sep).join('/')}/`
    const ownStart = request.ownStart?.map((name) => (name.startsWith(below) ? name.slice(below.length) : name))
    await pruneRun(storage, path, { ...request, ...(ownStart === undefined ? {} : { ownStart }) }, plan, options)
  }
}

/** Nothing is looked at twice where nobody is left to write. `path` is exactly the run's. */
async function pruneRun(
  storage: Storage,
  path: string,
  request: PruneRequest,
  plan: JobPlan,
  { lock, tell, trash, remains }: ChoreOptions & { readonly remains: boolean },
): Promise<void> {
  const stateLocation = { stateDirectory: plan.stateDirectory }
  const state = await stateFolderOf(storage, path, plan.stateDirectory)
  await withLock(storage, state, lock, async () => {
    const run = await openRunIfAny(storage, path, stateLocation)
    if (run === null) return
    const now = lock.now()
    // The job that this ckpt ran has ended; what it left behind may still write.
    const writers = { holding: heldForWriting, job: null }
    const context = { now, wait: remains ? wait : atOnce, utcOffset, writers, ...stateLocation }
    const { going, plan: planned } = intentOf(await planPrune(storage, run, request, context))
    // Nothing is deleted that was not shown.
    for (const [name, reason] of going.reasons) tell(`${trash ? 'to the trash' : 'removing'} ${name}: ${reason}`)
    const by = { self: lock.processes.self, policy: describePolicy(request) }
    const done = await carryOut(storage, run, going, { ...stateLocation, wait, copyTime, now, trash, by })
    for (const one of done.pointed) tell(describePointed(one, 'now'))
    const failure = removalError(done)
    if (failure !== null) throw failure
    if (planned.missingBytes > 0) tell(renderMissing(planned))
  })
}

async function atOnce(): Promise<void> {
  // There is nothing to wait for.
}
