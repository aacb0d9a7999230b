/** Answers that follow from the roles of a checkpoint's files. */
import { basename, dirname } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import type { DirectoryEntry } from '../../storage/storage.js'
import { compareText } from './folders.js'
import { findLayout } from './registry.js'

/**
 * The names, sorted, of the entries that only resuming needs, among those directly in a checkpoint's folder or those of a
 * group. Empty unless the weights are in what is left. Also empty for a folder in which one entry holds both, as the
 * others are small then; in a group the others (a replay buffer) are often the largest, and are named.
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
 * The files of a group, if all lie in one folder and one of them has the group's own name: the group is found by that
 * file when the others are gone. Empty for any other checkpoint.
 */
export function filesTogether({ path, members }: Pick<Checkpoint, 'path' | 'members'>): DirectoryEntry[] {
  const folder = dirname(path)
  const isTogether = members.some((one) => one.path === path) && members.every((one) => dirname(one.path) === folder)
  return isTogether ? members.map((one) => ({ name: basename(one.path), kind: one.kind })) : []
}
