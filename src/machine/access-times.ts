/** Whether files were read after a moment, by the time of last access that their file system keeps. */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { mountOf } from './mount.js'

/**
 * Local ones, which see each read of each program of this machine, also in a container. Network file systems and
 * overlays do not note every read.
 */
const noting: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'tmpfs'])

interface Times {
  readonly accessed: bigint
  readonly changed: bigint
  readonly inode: bigint
}

/**
 * Of regular files, their links resolved: from now on. The answer is true where one was read, false where none was, null
 * where that is not known. With `relatime`, as Linux mounts, a read is noted where the access time is not later than the
 * last change (mount(8)): each checkpoint that nothing but its writer had open. ckpt's own reads leave no trace.
 */
export function noteAccess(paths: readonly string[]): () => boolean | null {
  const before = paths.map(timesOf)
  const wouldShow =
    paths.length > 0 && before.every(isNotedNext) && [...new Set(paths.map((path) => dirname(path)))].every(notes)
  return () => {
    const after = paths.map(timesOf)
    const isSame = before.map((one, index) => one !== null && one.inode === after[index]?.inode)
    if (isSame.some((same, index) => same && before[index]?.accessed !== after[index]?.accessed)) return true
    return wouldShow && isSame.every(Boolean) ? false : null
  }
}

function notes(folder: string): boolean {
  const mount = mountOf(folder)
  return mount !== null && noting.has(mount.kind) && !mount.options.has('noatime') && !mount.options.has('ro')
}

function isNotedNext(times: Times | null): boolean {
  return times !== null && times.accessed <= times.changed
}

/** `changed` is the later one of the times of its contents and of its inode. Null where it is not there. */
function timesOf(path: string): Times | null {
  try {
    const { atimeNs, mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true })
    return { accessed: atimeNs, changed: mtimeNs > ctimeNs ? mtimeNs : ctimeNs, inode: ino }
  } catch {
    return null
  }
}
