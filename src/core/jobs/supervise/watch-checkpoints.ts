/** New whole checkpoints of a run, as they appear. */
import { isResumable, isSound, timeOf, type Checkpoint } from '../../checkpoint.js'
import { markStillWritten } from '../../checkpoints/health/index.js'
import { measure } from '../../checkpoints/layouts/index.js'
import { cutShort, examine, isFirstSaveCut, openAllIfAny, type StateLocation } from '../../runs/index.js'
import { byRecency } from '../../choosing/selection/index.js'
import type { ReadStorage } from '../../storage/storage.js'

export interface LookOptions {
  /** Unix seconds. */
  readonly now: number
  /** Resolves after that many milliseconds. One that does not wait is right when nobody is left to write. */
  readonly wait: (milliseconds: number) => Promise<void>
  /** Also for what changes in place, and so without a trace in the run's folder. */
  readonly thorough: boolean
  /** Unix seconds: when the job was cut off, and perhaps a save with it. Null: it lives, or came to its end. */
  readonly cutAt?: number | null
  /** Asked when the look is over: true where the job has ended in the meantime. Then nothing counts as seen. */
  readonly hasEnded?: () => boolean
}

export class CheckpointWatch {
  /** Times by path: one that is saved anew under its old name is new. */
  private known = new Map<string, number | null>()
  /** The run's folder when all in it was known; null: there was something unfinished. */
  private quiet: string | null = null

  constructor(
    private readonly storage: ReadStorage,
    /** Absolute. */
    private readonly path: string,
    private readonly stateLocation: StateLocation,
  ) {}

  /** What is there now is not new. */
  async begin(): Promise<void> {
    this.known = new Map((await this.measured()).map((checkpoint) => [checkpoint.path, timeOf(checkpoint)]))
  }

  /** Those that are whole and were not known, oldest first; each is reported once. Costs one call while nothing changes. */
  async look(options: LookOptions): Promise<Checkpoint[]> {
    const stamp = await this.stamp()
    if (!options.thorough && stamp !== null && stamp === this.quiet) return []
    const all = await this.measured()
    const fresh = all.filter((one) => !this.known.has(one.path) || this.known.get(one.path) !== timeOf(one))
    const examined = await examine(this.storage, all, fresh, 'quick')
    const { ordered } = byRecency(all)
    const finished: Checkpoint[] = []
    for (const one of examined) {
      if (!isSound(one) || cutShort(one, ordered).length > 0) continue
      // While the job lives, a model alone may be the beginning of its first save.
      const mayGrow = !options.thorough && !isResumable(one)
      const cutAt = options.cutAt ?? (mayGrow ? options.now : null)
      if (!(await isFirstSaveCut(this.storage, one, all, cutAt))) finished.push(one)
    }
    const settled = await markStillWritten(this.storage, finished, options)
    // A save that the end cut off is still from then on: the last look knows of the end, and judges it.
    if (options.hasEnded?.() === true) return []
    const whole = settled.filter(isSound)
    for (const checkpoint of whole) this.known.set(checkpoint.path, timeOf(checkpoint))
    // A run below the folder changes without a trace in it.
    const isHere = all.every(({ run }) => run === this.path)
    this.quiet = isHere && whole.length === fresh.length ? stamp : null
    return [...byRecency(whole).ordered].reverse()
  }

  private async measured(): Promise<Checkpoint[]> {
    const run = await openAllIfAny(this.storage, this.path, this.stateLocation)
    return run === null ? [] : measure(this.storage, run.checkpoints)
  }

  /** Changes with every name that comes to or goes from the folder; null where it is not there. */
  private async stamp(): Promise<string | null> {
    const [stat] = await this.storage.stat([this.path])
    return stat?.ok === true ? `${stat.value.inode} ${stat.value.modified}` : null
  }
}
