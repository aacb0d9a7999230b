/** A prune's plan as a list to move through: what each key does to it. It reads no keys and draws nothing. */
import type { Checkpoint } from '../../core/checkpoint.js'
import type { ByHand } from '../../core/runs/index.js'
import { whyLocked, type PrunePlan } from '../../core/runs/index.js'
import { byRecency } from '../../core/choosing/selection/index.js'

export interface EditedRow {
  readonly checkpoint: Checkpoint
  readonly goes: boolean
  /** What the policy says of it, or the hand. */
  readonly why: string
  /** Why it cannot be let go; null when it can. */
  readonly locked: string | null
}

export class PlanEditor {
  /** Index of the row that keys are about. */
  cursor = 0
  /** The row that is looked at as a whole. */
  isShowing = false
  /** What the last key came to, where that needs a word. */
  message = ''
  private readonly all: readonly Checkpoint[]
  private readonly byName: ReadonlyMap<string, Checkpoint>
  private readonly choices: Map<string, 'stays' | 'goes'>

  /** `byHand` was chosen before, and the plan has it already. */
  constructor(
    private readonly plan: PrunePlan,
    byHand: ByHand,
    private readonly allowEmpty: boolean,
  ) {
    this.choices = new Map(byHand)
    this.all = byRecency([...plan.keep, ...plan.remove].map(({ checkpoint }) => checkpoint)).ordered
    this.byName = new Map(this.all.map((checkpoint) => [checkpoint.name, checkpoint]))
  }

  get byHand(): ByHand {
    return this.choices
  }

  /** Newest first. */
  get rows(): EditedRow[] {
    const kept = new Map(this.plan.keep.map((one) => [one.checkpoint.path, one]))
    const reasons = new Map(this.plan.remove.map(({ checkpoint, reason }) => [checkpoint.path, reason.text]))
    return this.all.map((checkpoint) => {
      const stays = kept.get(checkpoint.path)
      const planned = stays?.reasons.map(({ text }) => text).join('; ') ?? reasons.get(checkpoint.path) ?? ''
      const own = (checkpoint.sameAs === undefined ? undefined : this.byName.get(checkpoint.sameAs)) ?? checkpoint
      const choice = this.choices.get(own.path)
      const goes = choice === undefined ? stays === undefined : choice === 'goes'
      const isChanged = goes === (stays !== undefined)
      const why = isChanged ? (goes ? 'let go by hand' : 'kept by hand') : planned
      const locked =
        own === checkpoint
          ? stays === undefined
            ? null
            : whyLocked(stays)
          : `it goes and stays with ${own.name}, the same state`
      return { checkpoint, goes, why, locked }
    })
  }

  get current(): EditedRow | undefined {
    return this.rows[this.cursor]
  }

  /** Null while the list goes on. `page` is a screenful of rows. */
  press(key: string, page: number): 'done' | 'cancelled' | null {
    this.message = ''
    if (this.isShowing) {
      this.isShowing = false
      return key === 'ctrl-c' ? 'cancelled' : null
    }
    if (key === 'return' || key === 'enter') return 'done'
    if (key === 'escape' || key === 'q' || key === 'ctrl-c' || key === 'ctrl-d') return 'cancelled'
    if (key === 'space') this.toggle()
    else if (key === 'k' && this.current?.goes === true) this.toggle()
    else if (key === 'g' && this.current?.goes === false) this.toggle()
    else if (key === 's' || key === 'right') this.isShowing = this.current !== undefined
    else this.move(key, page)
    return null
  }

  private move(key: string, page: number): void {
    const steps: Readonly<Record<string, number>> = {
      ...{ up: -1, down: 1, pageup: -page, pagedown: page, home: -Infinity, end: Infinity },
      ...{ 'ctrl-p': -1, 'ctrl-n': 1 },
    }
    const step = steps[key] ?? 0
    this.cursor = Math.max(0, Math.min(this.all.length - 1, this.cursor + step))
  }

  private toggle(): void {
    const row = this.current
    if (row === undefined) return
    const { checkpoint, goes, locked } = row
    if (locked !== null) this.message = `${checkpoint.name} ${goes ? 'goes' : 'stays'}: ${locked}`
    else if (!goes && !this.allowEmpty && this.rows.every((one) => one === row || one.goes || this.isWith(one, row))) {
      this.message = `${checkpoint.name} stays: it is the last one (--allow-empty)`
    } else this.choices.set(checkpoint.path, goes ? 'stays' : 'goes')
  }

  private isWith(one: EditedRow, { checkpoint }: EditedRow): boolean {
    return one.checkpoint.path === checkpoint.path || one.checkpoint.sameAs === checkpoint.name
  }
}
