/** Syncs a folder that another program wrote, so that a power failure cannot lose it. */
import { readTree } from '../../storage/entries-below.js'
import type { Storage } from '../../storage/storage.js'

/** Syncs the file or folder at `path` (absolute) with all below it. Throws StorageError when nothing is there. */
export async function syncTree(storage: Storage, path: string): Promise<void> {
  for (const entry of (await readTree(storage, path)).toReversed()) {
    if (entry.stat.kind === 'file') await storage.syncFile(entry.path)
    if (entry.stat.kind === 'directory') await storage.syncDirectory(entry.path)
  }
}
