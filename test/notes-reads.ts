/** Whether the file system of a folder notes each read in a way that ckpt goes by. */
import { mountOf } from '../src/machine/mount.js'

export function notesReads(folder: string): boolean {
  const mount = mountOf(folder)
  return /^(ext[234]|xfs|btrfs|f2fs|tmpfs)$/.test(mount?.kind ?? '') && mount?.options.has('noatime') === false
}
