import { CkptError } from '../../errors.js'
import type { RemovalFailure, RemovalResult } from './remove-checkpoints.js'

/** What a removal that did not do all comes to, with what is left; null when it did. */
export function failureOf({ removed, failed, remaining, leftovers }: RemovalResult): CkptError | null {
  if (failed.length + remaining.length + leftovers.length === 0) return null
  const lines = [
    ...failed.map(describeStay),
    ...remaining.map(({ name }) => `${name} stays: interrupted before its turn`),
    ...leftovers.map(({ path, error }) => `${path} is left over: ${error.message}`),
  ]
  const code = remaining.length > 0 ? 'interrupted' : 'partial'
  const count = failed.length + remaining.length
  // What is refused will be refused again.
  const isRefused = failed.length === count && failed.every(({ error }) => error.code === 'refused')
  const hint = isRefused && leftovers.length === 0 ? hintOf(failed) : undefined
  const lead = `removed ${removed.length}, and ${count} ${count === 1 ? 'stays' : 'stay'}`
  return new CkptError(code, [lead, ...lines].join('\n  '), {
    hint: hint ?? 'the same command again goes on where this one stopped',
  })
}

/** Where they say several things, what holds for all of them. */
function hintOf(refused: readonly RemovalFailure[]): string | undefined {
  const hints = new Set(refused.map(({ error }) => error.hint))
  return hints.size === 1 ? [...hints][0] : 'make a new plan'
}

/** The error may name the checkpoint itself. */
export function describeStay({ name, error }: RemovalFailure): string {
  const own = `${name}: `
  return `${name} stays: ${error.message.startsWith(own) ? error.message.slice(own.length) : error.message}`
}
