/** What kind of file system a folder lies on, and what it can do. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { removeTree } from '../core/changes/disposal/remove-tree.js'
import { StorageError } from '../core/errors.js'
import type { Storage } from '../core/storage/storage.js'
import { wait } from './clock.js'
import { mountOf } from './mount.js'

export interface FileSystemFacts {
  /** `ext4`, `nfs`, …; null where the system does not say. */
  readonly kind: string | null
  /** Whether a copy can share its bytes with the original; null where that could not be tried. */
  readonly clones: boolean | null
  /** Whether a file can be written and synced there; null where nothing may be written. */
  readonly syncs: boolean | null
  /** Whether a folder can be made that only one process gets, which is how ckpt locks a run. */
  readonly locks: boolean | null
}

/** Tries in a folder of its own below `folder` (absolute), which it removes; another user may own all around it. */
export async function fileSystemFacts(storage: Storage, folder: string): Promise<FileSystemFacts> {
  const kind = kindOf(folder)
  const trial = join(folder, `.ckpt-doctor-${randomUUID()}`)
  if (!(await succeeds(() => storage.makeDirectory(trial, 0o700)))) {
    return { kind, clones: null, syncs: null, locks: null }
  }
  try {
    const syncs = await succeeds(() => writeSynced(storage, join(trial, 'one')))
    const clones = await succeeds(() => storage.cloneFile(join(trial, 'one'), join(trial, 'two')))
    return { kind, clones, syncs, locks: await canLock(storage, trial) }
  } finally {
    await removeTree(storage, trial, wait)
  }
}

/** False where the call gives that, too. */
async function succeeds(call: () => Promise<unknown>): Promise<boolean> {
  try {
    return (await call()) !== false
  } catch (error) {
    if (error instanceof StorageError) return false
    throw error
  }
}

async function writeSynced(storage: Storage, path: string): Promise<void> {
  const file = await storage.create(path)
  try {
    await file.write(new Uint8Array(4096))
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The second of two must fail. */
async function canLock(storage: Storage, folder: string): Promise<boolean> {
  const make = () => succeeds(() => storage.makeDirectory(join(folder, 'lock')))
  return (await make()) && !(await make())
}

function kindOf(folder: string): string | null {
  return mountOf(folder)?.kind ?? null
}
