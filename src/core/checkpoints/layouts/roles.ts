/** Answers that follow from the roles of a checkpoint's files. */
import type { DirectoryEntry } from '../../storage/storage.js'
import { compareText } from './folders.js'
import { findLayout } from './registry.js'

/**
 * Of the entries right in a checkpoint's folder the names of what only resuming needs, sorted. None unless the weights
 * are known to be in what is left: nothing may go where a file holds both, or where no file is known to be the model.
 */
export function resumeOnly(layout: string, entries: readonly DirectoryEntry[]): string[] {
  const known = findLayout(layout)
  if (known === undefined) return []
  const there = entries.filter(({ kind }) => kind !== 'other').map((entry) => ({ entry, role: known.roleOf(entry) }))
  const has = (...roles: readonly string[]): boolean => there.some(({ role }) => roles.includes(role))
  if (has('all') || !has('weights', 'index')) return []
  return there
    .filter(({ role }) => role === 'resume')
    .map(({ entry }) => entry.name)
    .sort(compareText)
}
