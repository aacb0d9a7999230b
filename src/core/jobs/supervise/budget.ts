/** How often a job is tried again: a count for each way to end, given back when a new whole checkpoint has appeared. */
import { CkptError } from '../../errors.js'
import { didYouMean } from '../../choosing/expression/index.js'
import { retried, type Retried } from './classify.js'

/** Infinity: as often as it takes. */
export type Limits = Readonly<Record<Retried, number>>

/** Those that say nothing against the job are not counted. */
export const usualLimits: Limits = {
  failed: 3,
  'out-of-memory': 3,
  'timed-out': Infinity,
  preempted: Infinity,
  'never-started': 3,
  hung: 3,
  requeue: Infinity,
}

/** `3` for each; or `failed=3,preempted=unlimited` for those named, the rest as usual. Throws CkptError `usage`. */
export function parseRetries(text: string): Limits {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.length === 1 && !text.includes('=')) {
    const count = toCount(text)
    return Object.fromEntries(retried.map((ending) => [ending, count])) as Record<Retried, number>
  }
  const named = parts.map((part): [Retried, number] => {
    const [name = '', count = ''] = part.split('=', 2)
    return [toRetried(name.trim()), toCount(count)]
  })
  return { ...usualLimits, ...Object.fromEntries(named) }
}

function toRetried(name: string): Retried {
  const found = retried.find((ending) => ending === name)
  if (found !== undefined) return found
  throw new CkptError('usage', `--retries: ${JSON.stringify(name)} is not a way to end`, {
    hint: didYouMean(name, retried) ?? `there are ${retried.join(', ')}`,
  })
}

function toCount(text: string): number {
  if (text.trim() === 'unlimited') return Infinity
  if (/^\s*\d+\s*$/.test(text)) return Number(text)
  throw new CkptError('usage', `--retries takes a count or "unlimited", not ${JSON.stringify(text)}`, {
    hint: '--retries 3, or --retries failed=3,preempted=unlimited',
  })
}

/** What was spent since the last progress. */
export class Budget {
  private readonly spent = new Map<Retried, number>()

  constructor(private readonly limits: Limits) {}

  limitOf(ending: Retried): number {
    return this.limits[ending]
  }

  left(ending: Retried): number {
    return Math.max(0, this.limits[ending] - (this.spent.get(ending) ?? 0))
  }

  /** Attempts that ended since the last progress, of any kind: what the back-off grows with. */
  get failures(): number {
    return [...this.spent.values()].reduce((sum, count) => sum + count, 0)
  }

  spend(ending: Retried): void {
    this.spent.set(ending, (this.spent.get(ending) ?? 0) + 1)
  }

  giveBack(): void {
    this.spent.clear()
  }
}
