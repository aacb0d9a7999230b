/** Where settings lie: `ckpt.yaml` in a folder and in those above it, and the user's own file. */
import { dirname, join } from 'node:path'
import { StorageError } from '../../core/errors.js'
import type { ReadStorage } from '../../core/storage/storage.js'

const fileName = 'ckpt.yaml'
/** Bytes. People write these by hand. */
const largest = 1 << 20

export interface ConfigPlaces {
  /** Absolute: the search upwards ends there, where it lies above. */
  readonly home: string
  /** Absolute: the user's own file, which comes last; null for none. */
  readonly own: string | null
}

export interface ConfigFile {
  /** Absolute. */
  readonly path: string
  readonly text: string
  readonly isOwn: boolean
  /** Who may have written it, as `Stat` has them. */
  readonly owner: number
  readonly mode: number
}

/**
 * The files at `folder` (absolute) and above it, the nearest first, up to the home directory or the root; then the
 * user's own. Where there is none it costs one look a folder. Throws StorageError for one that is there and cannot be
 * read.
 */
export async function findConfigs(
  storage: ReadStorage,
  folder: string,
  { home, own }: ConfigPlaces,
): Promise<ConfigFile[]> {
  const paths = foldersUpTo(folder, home).map((one) => join(one, fileName))
  const all = own === null || paths.includes(own) ? paths : [...paths, own]
  const found: ConfigFile[] = []
  for (const [index, stat] of (await storage.stat(all)).entries()) {
    const path = all[index]
    if (path === undefined || (!stat.ok && stat.error.code === 'not-found')) continue
    if (!stat.ok) throw stat.error
    found.push({ ...(await readConfig(storage, path)), isOwn: path === own })
  }
  return found
}

/** Owner and text are those of one open file: nobody can give it another name in between. */
async function readConfig(storage: ReadStorage, path: string): Promise<Omit<ConfigFile, 'isOwn'>> {
  const handle = await storage.open(path)
  try {
    const { owner, mode, size } = await handle.stat()
    if (size > largest)
      throw new StorageError(path, 'EFBIG', `${path}: ${size} bytes, and at most ${largest} are read here`)
    const bytes = new Uint8Array(size)
    const length = await handle.read(bytes, 0)
    return { path, text: new TextDecoder().decode(bytes.subarray(0, length)), owner, mode }
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
