/** What a framework that resumes by itself would take before the checkpoint that was chosen. */
import {
  healthFrom,
  isSound,
  isUnreadable,
  oneMember,
  stateOf,
  type Checkpoint,
  type HealthLevel,
  type Run,
} from '../../checkpoint.js'
import { markStillWritten } from '../../checkpoints/health/index.js'
import { reasonIn, requireKeys } from './pass-over-damaged.js'
import {
  findLayout,
  findLeftovers,
  knownLayouts,
  measure,
  ScanTree,
  type Layout,
  type Standing,
} from '../../checkpoints/layouts/index.js'
import type { DoubtedFirst } from '../../changes/journal/index.js'
import { byRecency } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'
import { cutShort } from './save-cut-short.js'
import { examineOne } from '../opening/open-run.js'

export interface ObstacleRequest {
  readonly verify: HealthLevel
  /** Keys of the parameter files that a checkpoint must have to be started from. */
  readonly keys: readonly string[]
  /** Unix seconds: when a job began from nothing in this folder, and was cut off before a save was seen whole. */
  readonly cutSince?: number | undefined
  /** What is moved away though nothing is seen to be missing. */
  readonly doubted?: DoubtedFirst | null | undefined
}

export interface ObstacleContext {
  /** Unix seconds. */
  readonly now: number
  /** Resolves after that many milliseconds; one that does not wait is right when nobody is left to write. */
  readonly wait: (milliseconds: number) => Promise<void>
}

export interface Obstacle {
  readonly checkpoint: Checkpoint
  /** For people, what the framework does with it: `recover_if_possible() takes it`. */
  readonly how: string
  /** What is wrong with it; none of one that is whole. */
  readonly faults: readonly string[]
  /** It is whole, being written, or could not be read. */
  readonly stays: boolean
}

export interface Found {
  readonly obstacles: readonly Obstacle[]
  /** All that the frameworks see. */
  readonly there: readonly Standing[]
}

/**
 * All that a framework would take, or cannot get past, before it comes to `chosen`; for a first start (null) all that
 * is there. What is young is looked at twice, a second apart: what is being written stays where it is.
 */
export async function findObstacles(
  storage: ReadStorage,
  run: Run,
  chosen: Checkpoint | null,
  request: ObstacleRequest,
  context: ObstacleContext,
): Promise<Found> {
  const there = await measure(storage, run.checkpoints)
  const { ordered } = byRecency(there)
  const left = await leftoversIn(storage, run, request.cutSince)
  const judge = (checkpoint: Checkpoint, how: string) =>
    left.has(checkpoint)
      ? { checkpoint, how, faults: checkpoint.health.findings.map(reasonIn), stays: false }
      : judgeOne(storage, ordered, { checkpoint, how }, request, context)
  const found: Obstacle[] = []
  if (chosen === null)
    for (const one of there) found.push(unfinished(await judge(one, 'nothing here was ever finished'), request.doubted))
  for (const layout of knownLayouts()) {
    if (chosen !== null && layout.id !== chosen.layout) continue
    const own = chosen === null ? [] : there.filter((one) => one.layout === layout.id)
    const search = new Search(layout, chosen, own, left)
    for (let next = search.next(); next !== null; next = search.next()) {
      const obstacle = await judge(next.checkpoint, next.how)
      if (obstacle.stays) search.keep(next.checkpoint)
      else search.pass(next.checkpoint)
      // What is left of a save lies in the way of each framework that would take a folder of its name.
      if (!found.some(({ checkpoint }) => checkpoint.path === next.checkpoint.path)) found.push(obstacle)
    }
  }
  return { obstacles: found, there: [...there, ...[...left].map((one) => ({ ...one, isLeftover: true }))] }
}

/** One that looks whole is the first save of all, with nothing to compare it with. */
function unfinished(obstacle: Obstacle, doubted: ObstacleRequest['doubted']): Obstacle {
  const { checkpoint, faults } = obstacle
  if (faults.length > 0) return obstacle
  const lack = findLayout(checkpoint.layout)?.lacksAlone?.(checkpoint) ?? null
  if (lack !== null) return { ...obstacle, faults: [`it has ${lack}`], stays: false }
  const doubt =
    doubted == null ? [] : [`the job was killed as it saved it, and ${doubted.starts} starts that read it failed`]
  return { ...obstacle, faults: doubt, stays: false }
}

/** The framework's own search, as it goes on when what it finds is taken away. */
class Search {
  private readonly remaining: Set<Checkpoint>
  private readonly kept = new Set<string>()

  constructor(
    private readonly layout: Layout,
    private readonly chosen: Checkpoint | null,
    own: readonly Checkpoint[],
    private readonly left: ReadonlySet<Checkpoint>,
  ) {
    this.remaining = new Set([...own, ...left])
  }

  /** What is in the way now, and was not judged yet; null: nothing more. */
  next(): { readonly checkpoint: Checkpoint; readonly how: string } | null {
    const there = [...this.remaining].map((one): Standing => ({ ...one, isLeftover: this.left.has(one) }))
    for (const { by, takes, stumblesOver } of this.layout.resumesFrom?.(there) ?? []) {
      for (const name of stumblesOver) {
        const checkpoint = this.obstructing(name)
        if (checkpoint !== undefined) return { checkpoint, how: `${by} cannot get past it` }
      }
      const checkpoint = takes === null ? undefined : this.obstructing(takes)
      if (checkpoint !== undefined) return { checkpoint, how: `${by} takes it` }
    }
    return null
  }

  pass(checkpoint: Checkpoint): void {
    this.remaining.delete(checkpoint)
  }

  keep({ name }: Checkpoint): void {
    this.kept.add(name)
  }

  private obstructing(name: string): Checkpoint | undefined {
    const found = [...this.remaining].find((one) => one.name === name)
    if (found === undefined || this.kept.has(name)) return undefined
    return this.chosen !== null && stateOf(found) === stateOf(this.chosen) ? undefined : found
  }
}

async function judgeOne(
  storage: ReadStorage,
  ordered: readonly Checkpoint[],
  { checkpoint, how }: Pick<Obstacle, 'checkpoint' | 'how'>,
  { verify, keys }: ObstacleRequest,
  context: ObstacleContext,
): Promise<Obstacle> {
  const examined = await examineOne(storage, ordered, checkpoint, verify)
  const lacking = [...cutShort(examined, ordered), ...requireKeys(checkpoint, keys)]
  const faults = [...examined.health.findings, ...lacking].map(reasonIn)
  // What the system refuses to read today may be whole tomorrow.
  if (faults.length === 0 || isUnreadable(examined)) return { checkpoint: examined, how, faults, stays: true }
  const unseen = { ...examined, health: healthFrom('none', []) }
  const [settled = unseen] = await markStillWritten(ScanTree.lookingAgain(storage), [unseen], context)
  const changes = settled.health.findings.map(reasonIn)
  return { checkpoint: examined, how, faults: [...changes, ...faults], stays: !isSound(settled) }
}

/** What saves left behind, as far as a framework may take it for a checkpoint. */
async function leftoversIn(storage: ReadStorage, run: Run, cutSince?: number): Promise<ReadonlySet<Checkpoint>> {
  const leftovers = await findLeftovers(storage, run, cutSince)
  const stats = await storage.lstat(leftovers.map(({ path }) => path))
  return new Set(
    leftovers.flatMap(({ name, path, reason }, index): Checkpoint[] => {
      const stat = stats[index]
      if (stat?.ok !== true) return []
      const health = healthFrom('none', [{ grade: 'unfinished', reason }])
      const kind = stat.value.kind === 'directory' ? 'directory' : 'file'
      return [{ ...unread, ...oneMember(path, kind), name, run: run.path, health }]
    }),
  )
}

const unread: Omit<Checkpoint, 'name' | 'run' | 'health' | keyof ReturnType<typeof oneMember>> = {
  layout: '',
  meta: new Map(),
  step: null,
  epoch: null,
  unixtime: null,
  modified: null,
  files: [],
  size: null,
  pointsTo: [],
}
