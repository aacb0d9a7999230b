import { CkptError } from '../errors.js'
import type { RemovalResult } from './remove-checkpoints.js'

/** What a removal that did not do all comes to, with what is left; null when it did. */
export function failureOf({ removed, failed, remaining, leftovers }: RemovalResult): CkptError | null {
  if (failed.length + remaining.length + leftovers.length === 0) return null
  const lines = [
    ...failed.map(({ name, error }) => `${name} stays: ${error.message}`),
    ...remaining.map(({ name }) => `${name} stays: interrupted before its turn`),
    ...leftovers.map(({ path, error }) => `${path} is left over: ${error.message}`),
  ]
  const code = remaining.length > 0 ? 'interrupted' : 'partial'
  const count = failed.length + remaining.length
  return new CkptError(code, [`removed ${removed.length}, and ${count} stay`, ...lines].join('\n  '), {
    hint: 'the same command again goes on where this one stopped',
  })
}
