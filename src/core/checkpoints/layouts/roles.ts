/** Answers that follow from the roles of a checkpoint's files. */
import { basename, dirname } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import type { DirectoryEntry } from '../../storage/storage.js'
import { compareText } from './folders.js'
import { findLayout } from './registry.js'

/**
 * Of the entries right in a checkpoint's folder, or of a group's files, the names of what only resuming needs, sorted.
 * None unless the weights are known to be in what is left. In a folder nothing may go where an entry holds both, for the
 * rest is small then; what lies beside a file that holds both (a replay buffer) is often the larger.
 */
export function resumeOnly(
  layout: string,
  entries: readonly DirectoryEntry[],
  kind: Checkpoint['kind'] = 'directory',
): string[] {
  const known = findLayout(layout)
  if (known === undefined) return []
  const there = entries.filter(({ kind }) => kind !== 'other').map((entry) => ({ entry, role: known.roleOf(entry) }))
  const has = (...roles: readonly string[]): boolean => there.some(({ role }) => roles.includes(role))
  if (kind === 'directory' ? has('all') || !has('weights', 'index') : !has('weights', 'all')) return []
  return there
    .filter(({ role }) => role === 'resume')
    .map(({ entry }) => entry.name)
    .sort(compareText)
}

/**
 * The files of a group that lie in one folder, where one of them has the group's own name, by which it is known again
 * whatever else of it goes; none of any other checkpoint.
 */
export function filesTogether({ path, members }: Pick<Checkpoint, 'path' | 'members'>): DirectoryEntry[] {
  const folder = dirname(path)
  const isTogether = members.some((one) => one.path === path) && members.every((one) => dirname(one.path) === folder)
  return isTogether ? members.map((one) => ({ name: basename(one.path), kind: one.kind })) : []
}
