/** The error of a removal that left something, with what stays and why. */
import { CkptError, isFull, StorageError } from '../../errors.js'
import { groupBy } from '../../grouped.js'
import type { RemovalFailure, RemovalResult } from './remove-checkpoints.js'

/** What a removal that did not do all comes to, with what is left; null when it did. */
export function removalError({ removed, failed, remaining, leftovers }: RemovalResult): CkptError | null {
  if (failed.length + remaining.length + leftovers.length === 0) return null
  const lines = summedUp([
    ...failed.map(stayOf),
    ...remaining.map(({ name }) => ({ line: `${name} stays: interrupted before its turn`, own: [name] })),
    ...leftovers.map(({ path, error }) => ({ line: `${path} is left over: ${error.message}`, own: [path] })),
  ])
  const code = remaining.length > 0 ? 'interrupted' : 'partial'
  const count = failed.length + remaining.length
  const hint = leftovers.length === 0 && failed.length === count ? hintOf(failed) : undefined
  const lead = `removed ${removed.length}, and ${count} ${count === 1 ? 'stays' : 'stay'}`
  return new CkptError(code, [lead, ...lines].join('\n  '), {
    hint: hint ?? 'the same command again goes on where this one stopped',
  })
}

/** Of what the same command again would not change: what is refused, and what a full disk has no room for. */
function hintOf(failed: readonly RemovalFailure[]): string | undefined {
  if (failed.every(({ error }) => error instanceof StorageError && isFull(error.errno)))
    return 'the trash needs a little room for its records; without --trash deleting needs none, and frees space'
  if (failed.some(({ error }) => error.code !== 'refused')) return undefined
  const hints = new Set(failed.map(({ error }) => error.hint))
  // Where they say several things, what holds for all of them.
  return hints.size === 1 ? [...hints][0] : 'make a new plan'
}

interface Stay {
  readonly line: string
  /** What of the line is this one's alone. */
  readonly own: readonly string[]
}

/** Up to this many lines that say the same of different things are all shown; of more only a few, and their count. */
const mostAlike = 10
const shownOfMany = 3

/** A disk that is full, or a signal, says the same of ten thousand checkpoints. */
function summedUp(stays: readonly Stay[]): string[] {
  const alike = groupBy(stays, ({ line, own }) => own.reduce((text, one) => text.replaceAll(one, ''), line))
  return [...alike.values()].flatMap((group) => {
    const shown = group.slice(0, group.length > mostAlike ? shownOfMany : mostAlike).map(({ line }) => line)
    const more = group.length - shown.length
    return more === 0 ? shown : [...shown, `and ${more} more, for the same reason`]
  })
}

function stayOf(failure: RemovalFailure): Stay {
  const { name, error } = failure
  return { line: describeStay(failure), own: error instanceof StorageError ? [error.path, name] : [name] }
}

/** The error may name the checkpoint itself. */
export function describeStay({ name, error }: RemovalFailure): string {
  const own = `${name}: `
  return `${name} stays: ${error.message.startsWith(own) ? error.message.slice(own.length) : error.message}`
}
