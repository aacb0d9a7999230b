/**
 * What a plan must know before it is final, and what is too dear to ask of every checkpoint: can those that go be read
 * at all, is one of them (or the newest that stays) still being written, and is the newest that stays whole to its
 * last byte.
 */
import { isResumable, isSound, isUnreadable, withHealth, type Checkpoint, type Finding } from '../../checkpoint.js'
import {
  checkHealth,
  findRefused,
  mayBeWritten,
  markStillWritten,
  type HealthOptions,
} from '../../checkpoints/health/index.js'
import { listFiles, ScanTree, uniteFindings } from '../../checkpoints/layouts/index.js'
import type { RetentionPlan } from '../../choosing/retention/index.js'
import { isSameProof, type Proven } from '../../changes/state/index.js'
import type { ReadStorage } from '../../storage/storage.js'

/** Who may still be writing, as far as this machine can tell. */
export interface Writers {
  /** Those of these paths (absolute, folders and files) in which a process has a file open for writing. */
  readonly holding: (paths: readonly string[]) => ReadonlySet<string>
  /** Who runs a job in the run, in words; null when nobody is known to. */
  readonly job: string | null
}

export interface PlanChecksOptions extends HealthOptions {
  /** Unix seconds. */
  readonly now: number
  readonly wait: (milliseconds: number) => Promise<void>
  /** No file has been opened yet. */
  readonly isUnread: boolean
  /** What is still being written stays. */
  readonly protects: boolean
  /** By name, what was read to its last byte before; null: the newest that stays need not be proven. */
  readonly proven: ReadonlyMap<string, Proven> | null
  /** By path: counts as proven. */
  readonly newcomer: string | undefined
  readonly writers: Writers | undefined
  /** Nothing will be removed by this plan. */
  readonly onlyAsks?: boolean
}

export class PlanChecks {
  /** Paths of those that are still being written. */
  readonly changing = new Set<string>()
  /** The newest that stays, read to its last byte; null while none is. */
  proof: Proven | null = null
  private readonly read = new Set<string>()
  private readonly settled = new Set<string>()

  constructor(
    private readonly storage: ReadStorage,
    private readonly options: PlanChecksOptions,
  ) {}

  /**
   * By path, what came out about checkpoints of this plan, which is then to be made again; null when nothing did.
   * `checkpoints` are all of the run.
   */
  async at(draft: RetentionPlan, checkpoints: readonly Checkpoint[]): Promise<ReadonlyMap<string, Checkpoint> | null> {
    if (draft.remove.length === 0) return null
    const survivor = survivorOf(draft)
    const news = [...(await this.findRefused(draft)), ...(await this.findChanging(draft, survivor))]
    if (news.length === 0 && survivor !== undefined) news.push(...(await this.prove(survivor, checkpoints)))
    return news.length === 0 ? null : new Map(news.map((checkpoint) => [checkpoint.path, checkpoint]))
  }

  /** Those that go and of which the system refuses a file: no look has opened it. */
  private async findRefused({ remove }: RetentionPlan): Promise<Checkpoint[]> {
    if (!this.options.isUnread) return []
    const unread = remove.map(({ checkpoint }) => checkpoint).filter(({ path }) => !this.read.has(path))
    for (const { path } of unread) this.read.add(path)
    return (await findRefused(this.storage, unread)).filter(isUnreadable)
  }

  private async findChanging({ remove }: RetentionPlan, survivor: Checkpoint | undefined): Promise<Checkpoint[]> {
    if (!this.options.protects) return []
    const going = remove.map(({ checkpoint }) => checkpoint)
    const isNew = survivor !== undefined && survivor.path !== this.options.newcomer
    const looked = [...going, ...(isNew ? [survivor] : [])].filter(({ path }) => !this.settled.has(path))
    for (const { path } of looked) this.settled.add(path)
    const young = mayBeWritten(looked, this.options.now, this.options.onlyAsks === true)
    const settled = await markStillWritten(this.storage, young, this.options)
    const moved = settled.filter((checkpoint, index) => checkpoint !== young[index] && !isSound(checkpoint))
    const movedPaths = new Set(moved.map(({ path }) => path))
    const held = this.findHeld(looked.filter(({ path }) => !movedPaths.has(path)))
    for (const { path } of [...moved, ...held]) this.changing.add(path)
    return [...moved, ...held]
  }

  /** An unfinished one whose writer is alive will be finished: it pauses between two files. */
  private findHeld(looked: readonly Checkpoint[]): Checkpoint[] {
    const unfinished = looked.filter(({ health }) => health.grade === 'unfinished')
    const { writers } = this.options
    if (writers === undefined || unfinished.length === 0) return []
    const held = writers.holding(unfinished.map(({ path }) => path))
    return unfinished.filter(({ path }) => writers.job !== null || held.has(path))
  }

  /** The survivor with what a reading of every byte found, where it found something. */
  private async prove(survivor: Checkpoint, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]> {
    const { proven, newcomer } = this.options
    if (proven === null || survivor.path === newcomer) return []
    const disk = ScanTree.lookingAgain(this.storage)
    const before = await proofOf(disk, survivor)
    if (isSameProof(proven.get(survivor.name), before)) {
      this.proof = before
      return []
    }
    const [read] = await checkHealth(this.storage, checkpoints, [survivor], 'deep', this.options)
    if (read === undefined || isSound(read)) {
      // What changed while it was read was not proven.
      const after = await proofOf(disk, survivor)
      this.proof = isSameProof(before, after) ? after : null
      return isSameProof(before, after) ? [] : [withFinding(survivor, changedMeanwhile)]
    }
    return [read]
  }
}

const changedMeanwhile: Finding = { grade: 'unfinished', reason: 'still being written: it changed while it was read' }

function withFinding(checkpoint: Checkpoint, finding: Finding): Checkpoint {
  return withHealth(checkpoint, checkpoint.health.level, uniteFindings([finding], checkpoint.health.findings))
}

/** The newest that stays, that nothing is known against, and that a job can go on from; where none can, the newest. */
function survivorOf({ keep }: RetentionPlan): Checkpoint | undefined {
  const sound = keep.map(({ checkpoint }) => checkpoint).filter(isSound)
  return sound.find(isResumable) ?? sound[0]
}

async function proofOf(storage: ReadStorage, checkpoint: Checkpoint): Promise<Proven> {
  const contents = (await listFiles(storage, [checkpoint])).get(checkpoint)
  const files = contents?.files ?? []
  return {
    name: checkpoint.name,
    files: files.map(({ name, stat }) => ({ name, size: stat?.size ?? -1, modified: stat?.modified ?? 0 })),
  }
}
