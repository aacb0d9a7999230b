/** One job whose restarts made a folder each: Lightning's `version_N`, Hydra's dated folders, a W&B run each. */
import { join, relative, sep } from 'node:path'
import { timeOf, type Checkpoint, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { measure } from '../../checkpoints/layouts/index.js'
import type { DoubtedFirst } from '../../changes/journal/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { describeDifference, identify, isCommandOf, relate, type JobIdentity, type Relation } from './job-identity.js'
import { lastOfCommand } from './job-of-command.js'
import type { StateLocation } from './run-with-state.js'

export interface JobFolders {
  /** All of its checkpoints as those of one run, the folder above: their names begin with their folders'. */
  readonly run: Run
  /** The runs as they are. */
  readonly parts: readonly Run[]
}

/** Which of several jobs is meant is not clear. */
export class SeveralJobsError extends CkptError {
  constructor(
    /** What lies beside them says that they are several; false: nothing says what they are. */
    readonly areKnown: boolean,
    message: string,
    hint: string,
  ) {
    super('refused', message, { hint })
  }
}

interface Member {
  readonly run: Run
  readonly identity: JobIdentity
  /** Measured. */
  readonly checkpoints: readonly Checkpoint[]
}

/**
 * The job that all of `runs` below `root` belong to. Where they are several jobs, the one whose recorded command is
 * `command` (none: nothing is started), else the one that its last start saved into or began from. Throws CkptError
 * `refused` with the choice where that is unknown.
 */
export async function oneJobOf(
  storage: ReadStorage,
  root: string,
  runs: readonly Run[],
  command: readonly string[] = [],
  stateLocation: StateLocation = {},
): Promise<JobFolders> {
  const identities = await identify(storage, root, runs)
  const members: Member[] = []
  for (const [index, run] of runs.entries()) {
    const identity = identities[index]
    if (identity !== undefined) members.push({ run, identity, checkpoints: await measure(storage, run.checkpoints) })
  }
  const jobs = groupByJob(members)
  const asked = jobs.length < 2 ? jobs : await jobsOfCommand(storage, root, jobs, command, stateLocation)
  const [chosen = [], ...others] = asked.length === 1 ? asked : jobs
  if (others.length > 0) throw severalJobs(root, jobs)
  const parts = chosen.map(({ run }) => run)
  return { run: asOne(root, parts), parts }
}

async function jobsOfCommand(
  storage: ReadStorage,
  root: string,
  jobs: readonly Member[][],
  command: readonly string[],
  stateLocation: StateLocation,
): Promise<readonly Member[][]> {
  const recorded = jobs.filter((job) => job.some(({ identity }) => isCommandOf(identity, command)))
  if (recorded.length === 1 || command.length === 0) return recorded
  const last = await lastOfCommand(storage, root, command, stateLocation)
  if (last === null) return recorded
  return jobs.filter((job) => job.some(({ run }) => last.startsWith(nameSeenFrom(root, run))))
}

/** What the names of its checkpoints begin with. */
function nameSeenFrom(root: string, run: Run): string {
  return `${relative(root, run.path).split(sep).join('/')}/`
}

/** One is of a job when it is the same as some of it and other than none. */
function groupByJob(members: readonly Member[]): Member[][] {
  const jobs: Member[][] = []
  for (const member of members) {
    const relations = jobs.map((job) => relateToJob(member, job))
    const joined = jobs.filter((_, index) => relations[index] === 'same')
    for (const job of joined) jobs.splice(jobs.indexOf(job), 1)
    jobs.push([...joined.flat(), member])
  }
  return jobs
}

function relateToJob(member: Member, job: readonly Member[]): Relation {
  const relations = job.map((other) => relateMembers(member, other))
  if (relations.includes('other')) return 'other'
  return relations.includes('same') ? 'same' : 'unknown'
}

function relateMembers(a: Member, b: Member): Relation {
  const relation = relate(a.identity, b.identity)
  if (relation !== 'unknown') return relation
  return isContinued(a, b) || isContinued(b, a) ? 'same' : 'unknown'
}

/** A gap longer than this many times the usual one is not a continuation. */
const longestGap = 2

/**
 * Where nothing says what a run is: folders named alike, of which the later one's steps go on where the earlier one's
 * end, at the same distance.
 */
function isContinued(earlier: Member, later: Member): boolean {
  if (patternOf(earlier.run.path) !== patternOf(later.run.path)) return false
  const [before, after] = [stepsOf(earlier.checkpoints), stepsOf(later.checkpoints)]
  const [last, lastButOne] = [before.at(-1), before.at(-2)]
  const first = after[0]
  if (last === undefined || lastButOne === undefined || first === undefined) return false
  const gap = first.step - last.step
  return gap > 0 && gap <= longestGap * (last.step - lastButOne.step) && first.time >= last.time
}

/** Sorted by step. */
function stepsOf(checkpoints: readonly Checkpoint[]): { step: number; time: number }[] {
  const steps = checkpoints.flatMap((one) => {
    const step = one.step ?? one.epoch
    return step === null || one.sameAs !== undefined ? [] : [{ step, time: timeOf(one) ?? 0 }]
  })
  return steps.sort((a, b) => a.step - b.step)
}

function patternOf(path: string): string {
  return path.replaceAll(/\d+/g, '#')
}

/** Their checkpoints as those of one run, the folder above them. */
export function asOne(root: string, parts: readonly Run[]): Run {
  return { path: root, checkpoints: parts.flatMap((run) => seenFrom(root, run)) }
}

function seenFrom(root: string, run: Run): Checkpoint[] {
  if (run.path === root) return [...run.checkpoints]
  const folder = nameSeenFrom(root, run)
  return run.checkpoints.map((one) => ({
    ...one,
    run: root,
    name: folder + one.name,
    pointsTo: one.pointsTo.map((pointer) => ({ ...pointer, name: folder + pointer.name })),
    ...(one.sameAs === undefined ? {} : { sameAs: folder + one.sameAs }),
  }))
}

export interface ClearedFolder {
  readonly run: Run
  /** What is resumed from, as one of this run; null: a first start. */
  readonly checkpoint: Checkpoint | null
  /** As of an `ObstacleRequest`. */
  readonly cutSince?: number | undefined
  readonly doubted?: DoubtedFirst | null
}

/** Where Accelerate saves below the folder of a project (accelerator.py, `save_state`). */
const ofProject = 'checkpoints'

/** Where nothing has been saved yet; but a save that was cut short may lie there. */
export function clearedForFirst(path: string, cutSince: number | undefined): ClearedFolder[] {
  return [path, join(path, ofProject)].map((one) => ({
    run: { path: one, checkpoints: [] },
    checkpoint: null,
    cutSince,
  }))
}

/** The folders that are to agree with a start from `chosen`: its own, and for a first start all. */
export function clearedFor(
  { run, parts }: JobFolders,
  chosen: Checkpoint | null,
  doubted: DoubtedFirst | null = null,
): ClearedFolder[] {
  const [only, ...others] = parts
  if (others.length === 0) return [{ run: only ?? run, checkpoint: chosen, doubted }]
  if (chosen === null) return parts.map((part) => ({ run: part, checkpoint: null, doubted }))
  return parts.flatMap((part) => {
    const own = part.checkpoints.find(({ path }) => path === chosen.path)
    return own === undefined ? [] : [{ run: part, checkpoint: own }]
  })
}

/** Jobs that a message lists. */
const mostListed = 10

function severalJobs(root: string, jobs: readonly (readonly Member[])[]): SeveralJobsError {
  const lines = jobs.slice(0, mostListed).map((job) => `  ${job.map(describeMember).join(', ')}`)
  const more = jobs.length > mostListed ? [`  and ${jobs.length - mostListed} more`] : []
  const [first, second] = jobs.map(([member]) => member?.identity)
  const difference = first === undefined || second === undefined ? null : describeDifference(first, second)
  const why =
    difference === null
      ? 'nothing beside them tells whether they are one job begun again'
      : `their hyper-parameters or commands differ: ${difference}`
  return new SeveralJobsError(
    difference !== null,
    [`${jobs.length} jobs lie below ${root}, and which is meant is not clear; ${why}`, ...lines, ...more].join('\n'),
    `name the folder of one of them: ${jobs.at(-1)?.[0]?.run.path ?? root}`,
  )
}

function describeMember({ run }: Member): string {
  const count = run.checkpoints.length
  return `${run.path} (${count} checkpoint${count === 1 ? '' : 's'})`
}
