/** Where settings lie: `ckpt.yaml` in a folder and in those above it, and the user's own file. */
import { dirname, join } from 'node:path'
import { StorageError } from '../../core/errors.js'
import type { ReadStorage } from '../../core/storage/storage.js'

const fileName = 'ckpt.yaml'
/** Bytes. People write these by hand. */
const largest = 1 << 18

export interface ConfigLocations {
  /** Absolute: the search upwards ends there, where it lies above. */
  readonly home: string
  /** Absolute: the user's own file, which comes last; null for none. */
  readonly own: string | null
  /** What the system lets nobody look at is given too, to be left out; else it is an error. */
  readonly withClosed: boolean
}

/**
 * What stands under that name at `folder` (absolute) and above it, the nearest first, up to the home directory or the
 * root; then the user's own. Where there is none it costs one look a folder. Throws StorageError.
 */
export async function findConfigs(
  storage: ReadStorage,
  folder: string,
  { home, own, withClosed }: ConfigLocations,
): Promise<string[]> {
  const paths = foldersUpTo(folder, home).map((one) => join(one, fileName))
  const all = own === null || paths.includes(own) ? paths : [...paths, own]
  const looks = await storage.lstat(all)
  return all.filter((_, index) => {
    const look = looks[index]
    if (look?.ok !== false) return true
    if (look.error.code === 'not-found') return false
    if (!withClosed) throw look.error
    return true
  })
}

/** Of a file with device and inode. */
export interface Identity {
  readonly device: bigint
  readonly inode: bigint
}

/** Throws StorageError, also for one that has been put in its place since it was looked at. */
export async function readConfig(storage: ReadStorage, path: string, looked: Identity): Promise<string> {
  const handle = await storage.open(path)
  try {
    const { size, device, inode } = await handle.stat()
    if (device !== looked.device || inode !== looked.inode) {
      throw new StorageError(path, 'ESTALE', `${path}: another file was put in its place while it was read`)
    }
    if (size > largest)
      throw new StorageError(path, 'EFBIG', `${path}: ${size} bytes, and at most ${largest} are read here`)
    const bytes = new Uint8Array(size)
    const length = await handle.read(bytes, 0)
    return new TextDecoder().decode(bytes.subarray(0, length))
  } finally {
    await handle.close()
  }
}

function foldersUpTo(folder: string, home: string): string[] {
  const folders = [folder]
  for (let at = folder; at !== home && at !== dirname(at);) {
    at = dirname(at)
    folders.push(at)
  }
  return folders
}
