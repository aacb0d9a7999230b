import { dirname, join } from 'node:path'
import type { ReadStorage } from '../storage/storage.js'

const fileName = 'ckpt.yaml'
/** Bytes. People write these by hand. */
const largest = 1 << 20

export interface ConfigFile {
  /** Absolute. */
  readonly path: string
  readonly text: string
}

/**
 * The files `ckpt.yaml` in `folder` (absolute) and in those above it, the nearest first: up to `home` where that lies
 * above, else up to the root. Throws StorageError for one that is there and cannot be read.
 */
export async function findConfigs(storage: ReadStorage, folder: string, home: string): Promise<ConfigFile[]> {
  const paths = foldersUpTo(folder, home).map((one) => join(one, fileName))
  const texts = await storage.read(paths, largest)
  return paths.flatMap((path, index) => {
    const text = texts[index]
    if (text?.ok === true) return [{ path, text: new TextDecoder().decode(text.value) }]
    if (text === undefined || text.error.code === 'not-found') return []
    throw text.error
  })
}

function foldersUpTo(folder: string, home: string): string[] {
  const folders = [folder]
  for (let at = folder; at !== home && at !== dirname(at);) {
    at = dirname(at)
    folders.push(at)
  }
  return folders
}
