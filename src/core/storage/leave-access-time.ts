/**
 * Opening a file to read it without changing the time of its last access: that is to say when the user's programs have
 * read it. Jobs are judged by it, and scratch file systems remove what nobody has read for long.
 */
import type * as Fs from 'node:fs'

type Opening = Pick<typeof Fs, 'constants' | 'openSync'>

/** Linux allows it to the file's owner and the superuser alone (open(2), O_NOATIME: EPERM); others open it as usual. */
export function openLeavingAccessTime(fs: Opening, path: string, how: number): number {
  // Node leaves out what a system does not have.
  const { O_NOATIME } = fs.constants as { readonly O_NOATIME?: number }
  if (O_NOATIME === undefined) return fs.openSync(path, how)
  try {
    return fs.openSync(path, how | O_NOATIME)
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (code !== 'EPERM' && code !== 'EINVAL') throw error
    return fs.openSync(path, how)
  }
}
