/** What a keep-rule is. A rule rescues candidates; it never makes one (docs/design.md §5). */
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import type { Scope } from '../expression/index.js'

/** What rules may ask beside the checkpoints themselves. */
export interface RuleContext {
  /** Unix seconds. */
  readonly now: number
  readonly scopeOf: (checkpoint: Checkpoint) => Scope
  /** Seconds east of UTC at a moment (Unix seconds): days, weeks and months are those of the user's calendar. */
  readonly utcOffset: (time: number) => number
}

/** A rule with its value, as asked for. */
export interface Rule {
  /** As typed: `--keep-every epoch=10`. */
  readonly label: string
  /** The names that it reads of a checkpoint; they may have to be measured first. */
  readonly names: readonly string[]
  /** Those that it rescues, with the reason. `pool` is newest first: selected, and whole where health is known. */
  rescue(pool: readonly Checkpoint[], context: RuleContext): ReadonlyMap<Checkpoint, string>
}

/** One kind of rule: all that a command needs to offer it. */
export interface RuleKind {
  /** Without the dashes: `keep-every`. */
  readonly flag: string
  /** What stands for the value in help (`KEY=N`); null for a flag without one. */
  readonly value: string | null
  /** One line of help. */
  readonly description: string
  /** True when the flag may be given several times, each a rule of its own. */
  readonly repeatable: boolean
  /** Throws CkptError `usage` (or `bad-expression`) for a value that cannot be meant. */
  parse(value: string): Promise<Rule>
}

/** Whole numbers from `least` up, of a flag's value. Throws CkptError `usage`. */
export function parseCount(flag: string, text: string, least: number): number {
  const count = /^\+?\d+$/.test(text.trim()) ? Number(text) : NaN
  if (Number.isSafeInteger(count) && count >= least) return count
  throw new CkptError('usage', `--${flag} takes a whole number from ${least} up, not ${JSON.stringify(text)}`, {
    hint: `--${flag} ${Math.max(least, 2)}`,
  })
}
