/** Which checkpoints of a run stand next to one another, of those that can be compared. */
import type { Checkpoint } from '../../checkpoint.js'

export class RunOrder {
  /** By run, layout and kind, in the run's order. */
  private readonly groups = new Map<string, Checkpoint[]>()
  private readonly positions = new Map<string, number>()

  private constructor(siblings: readonly Checkpoint[]) {
    let group: Checkpoint[] = []
    for (const sibling of siblings) {
      // Most are of the group of the one before.
      const [first] = group
      if (first === undefined || !areOfOneGroup(first, sibling)) group = this.groupFor(sibling)
      this.positions.set(sibling.path, group.length)
      group.push(sibling)
    }
  }

  private groupFor(sibling: Checkpoint): Checkpoint[] {
    const key = groupOf(sibling)
    const group = this.groups.get(key) ?? []
    this.groups.set(key, group)
    return group
  }

  private static readonly made = new WeakMap<readonly Checkpoint[], RunOrder>()

  /** Made once for a list, which may be asked about each of its thousands. */
  static of(siblings: readonly Checkpoint[]): RunOrder {
    const order = RunOrder.made.get(siblings) ?? new RunOrder(siblings)
    RunOrder.made.set(siblings, order)
    return order
  }

  /** Pairs of those nearest on both sides, the nearest first; one that is not in the list comes after all. */
  *around(of: Checkpoint): Generator<readonly Checkpoint[]> {
    const group = this.groups.get(groupOf(of)) ?? []
    const at = this.positions.get(of.path) ?? group.length
    for (let distance = 1; distance <= group.length; distance += 1) {
      yield [group[at - distance], group[at + distance]].filter((one) => one !== undefined)
    }
  }
}

function areOfOneGroup(a: Checkpoint, b: Checkpoint): boolean {
  return a.kind === b.kind && a.layout === b.layout && a.run === b.run
}

function groupOf({ kind, layout, run }: Checkpoint): string {
  return `${kind} ${layout} ${run}`
}
