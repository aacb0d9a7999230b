/** Searches for runs remember what they read, from one command to the next. */
import { ScanMemory } from '../core/storage/memory/scan-memory.js'
import { ScanRecordFiles } from '../core/storage/memory/record-files.js'
import type { Storage } from '../core/storage/storage.js'
import { scanCacheFolder } from '../machine/scan-cache.js'

/** `now` gives Unix seconds; `reader` names this version of ckpt. */
export async function withScanMemory<T>(
  storage: Storage,
  now: () => number,
  reader: string,
  work: (memory: ScanMemory | undefined) => Promise<T>,
): Promise<T> {
  const folder = scanCacheFolder()
  if (folder === null) return work(undefined)
  const records = new ScanRecordFiles(storage, folder, reader)
  try {
    return await work(new ScanMemory(records, now))
  } finally {
    await records.tidy(now())
  }
}
