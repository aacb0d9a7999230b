/** A copy that tells how far it is. */
import type { Wait } from './retry.js'
import type { Storage } from './storage.js'

/** Milliseconds between two looks. */
const glance = 100

/** Bytes; what is smaller is there before there is anything to tell. */
const smallestWatched = 1 << 26

export interface CopyWatch {
  readonly wait: Wait
  /** Gets how many bytes are there. */
  readonly onBytes: (count: number) => void
  /** Ends the copy with CkptError `interrupted`. */
  readonly signal?: AbortSignal | undefined
}

/** The system copies by itself, `size` bytes: how far it is, the growing file tells. Throws StorageError, CkptError `interrupted`. */
export async function copyWatched(
  storage: Storage,
  from: string,
  to: string,
  size: number,
  { wait, onBytes, signal }: CopyWatch,
): Promise<void> {
  const copying = storage.copyFile(from, to, signal)
  if (size < smallestWatched) return copying
  const end = copying.then(() => true)
  while (!(await Promise.race([end, wait(glance).then(() => false)]))) {
    const [stat] = await storage.lstat([to])
    if (stat?.ok === true) onBytes(stat.value.size)
  }
}
