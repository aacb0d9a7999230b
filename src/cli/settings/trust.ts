/**
 * Whose settings are taken. They can hold commands (hooks) and answers to questions (`yes: true`), so, as git's
 * safe.directory has it, not those that someone else can have put above a run.
 */
import { dirname, sep } from 'node:path'
import { CkptError } from '../../core/errors.js'
import type { ConfigFile } from './find-files.js'

/**
 * Throws CkptError `refused` for a file that belongs neither to the user (a system's number; null where there are
 * none) nor to root, unless it lies in one of the `trusted` folders; and for one that anybody may write.
 */
export function ensureTrusted(
  { path, owner, mode }: ConfigFile,
  user: number | null,
  trusted: readonly string[],
): void {
  if (user === null) return
  if ((mode & 0o002) !== 0) {
    throw new CkptError('refused', `${path}: anybody may write this file, so its settings and hooks are not taken`, {
      hint: `chmod o-w '${path}', or leave settings out with --no-config`,
    })
  }
  if (owner === user || owner === 0 || trusted.some((folder) => `${path}${sep}`.startsWith(`${folder}${sep}`))) return
  throw new CkptError(
    'refused',
    `${path}: belongs to another user (${owner}, and you are ${user}), so its settings and hooks are not taken`,
    {
      hint: `read it, then trust its folder in your own settings (trust: ['${dirname(path)}']), or leave settings out with --no-config`,
    },
  )
}
