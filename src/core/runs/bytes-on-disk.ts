/** What checkpoints take up on the medium. */
import { StorageError } from '../errors.js'
import type { Checkpoint } from '../checkpoint.js'
import type { ReadStorage } from '../storage/storage.js'
import { readTree } from '../storage/entries-below.js'

/**
 * Bytes of each checkpoint by its path, as `du` counts them: blocks of files and folders, a file with several names
 * once. A checkpoint that cannot be looked at is left out.
 */
export async function bytesOnDisk(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>()
  for (const { path, members } of checkpoints) {
    try {
      const inodes = new Map<string, number>()
      for (const member of members) {
        for (const { stat } of await readTree(storage, member.path)) {
          inodes.set(`${stat.device}:${stat.inode}`, stat.allocated)
        }
      }
      sizes.set(
        path,
        [...inodes.values()].reduce((sum, bytes) => sum + bytes, 0),
      )
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
    }
  }
  return sizes
}
