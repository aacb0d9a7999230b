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
  type PruneRequest,
  type StateLocation,
} from '../core/runs/index.js'
import {
  forgetStopRequest,
  readStopRequest,
  stateFolderOf,
  withLock,
  type LockOptions,
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
  const { lock, tell, prune, onCheckpoint, onExit } = options
  const { stateDirectory } = plan
  const state = await stateFolderOf(storage, plan.path, plan.stateDirectory)
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      tell(`${what}: ${error.message}`)
    }
  }
  const commands = new UserCommands(tell)
  const hook = (flag: string, command: string, checkpoint: Checkpoint | null, more: Record<string, string>) => {
    commands.add(flag, command, { ...jobEnvironment(plan.environment, checkpoint), CKPT_RUN: plan.path, ...more })
  }
  // What was asked of an earlier job is not meant for this one.
  await attempt('an old request to stop', () => forgetStopRequest(storage, state))
  return {
    clearObstacles: async (start, number) => {
      const now = lock.now()
      const look = { now, wait: number === 1 ? wait : atOnce }
      const { verify, keys, leavesDamaged } = plan.resume
      const isNamed = namesCheckpoint([...plan.command, ...plan.resumeArgs])
      const standing: string[] = []
      for (const { run, checkpoint, cutSince } of start.folders) {
        const request = { verify, keys, cutSince }
        const cleared = leavesDamaged
          ? await tellObstacles(storage, run, checkpoint, request, look)
          : await clearObstacles(storage, run, checkpoint, request, { stateDirectory, lock, look })
        for (const line of clearedLines(cleared, run, checkpoint, isNamed)) tell(line)
        standing.push(...cleared.standing.map((one) => one.checkpoint.name))
      }
      return standing
    },
    onCheckpoint: async (checkpoint, number) => {
      if (onCheckpoint === undefined) return
      hook('on-checkpoint', onCheckpoint, checkpoint, { CKPT_ATTEMPT: String(number) })
    },
    onEnd: async ({ attempt: number, ending, status, next, checkpoint, saved, remains, hurry }) => {
      // What copies a checkpoint away must have it before it is pruned.
      await commands.finish(hurry)
      if (prune !== null)
        await attempt('nothing was pruned', () =>
          pruneJob(storage, plan, { ...prune, ownStart: saved }, { ...options, remains }),
        )
      if (onExit === undefined) return
      const facts = { CKPT_REASON: ending, CKPT_EXIT: String(status), CKPT_NEXT: next, CKPT_ATTEMPT: String(number) }
      hook('on-exit', onExit, checkpoint, facts)
      await commands.finish(hurry)
    },
    setAside: (checkpoint, starts) =>
      attempt('it is not remembered', () => setAside(storage, checkpoint, starts, lock)),
    takeBack: async (checkpoints) => {
      const [first] = checkpoints
      if (first === undefined) return
      const names = checkpoints.map(({ name }) => name)
      await attempt('the marks stay', () => takeBack(storage, first.run, names, lock))
      tell(
        `${names.join(', ')}: no longer set aside, because starts from the checkpoint before it saved nothing either`,
      )
    },
    stopAsked: () => readStopRequest(storage, state),
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
