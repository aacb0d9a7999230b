/** Paths that ckpt offers itself: where one stands behind a `=`, shells look for none by their own rules. */
import { resolve } from 'node:path'
import type { Storage } from '../../core/storage/storage.js'

/**
 * What lies in the folder that `typed` ends in, each as it would be typed; folders end in a slash. `from` (absolute) is
 * what a relative one begins at. None where that cannot be listed.
 */
export async function pathsFrom(
  storage: Storage,
  from: string,
  typed: string,
  onlyFolders: boolean,
): Promise<string[]> {
  const lead = typed.slice(0, typed.lastIndexOf('/') + 1)
  const begun = typed.slice(lead.length)
  const [listing] = await storage.list([resolve(from, lead === '' ? '.' : lead)])
  if (listing?.ok !== true) return []
  const shown = listing.value.filter(({ name }) => begun.startsWith('.') || !name.startsWith('.'))
  return shown
    .filter(({ kind }) => !onlyFolders || kind === 'directory')
    .map(({ name, kind }) => `${lead}${name}${kind === 'directory' ? '/' : ''}`)
    .sort()
}
