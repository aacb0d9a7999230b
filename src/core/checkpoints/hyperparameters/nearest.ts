/** Reads small files in the run's folder and in those above it; the nearest one that has the answer decides. */
import { dirname } from 'node:path'
import { CkptError } from '../../errors.js'
import type { ReadStorage } from '../../storage/storage.js'
import { prefixOf } from '../layouts/index.js'

/** Folders above the run that are looked into. */
const highest = 4

/** The run's folder and those above it that are looked into, the nearest first. */
export function foldersUp(path: string): string[] {
  const folders = [path]
  for (let folder = path; folders.length <= highest && dirname(folder) !== folder;) {
    folder = dirname(folder)
    folders.push(folder)
  }
  return folders
}

/** A file that may tell it; null where it does not. */
export interface FileToAsk {
  /** Relative to the folder. */
  readonly file: string
  readonly read: (bytes: Uint8Array) => string | null | Promise<string | null>
}

export interface FoundText {
  readonly text: string
  /** Absolute path of the file that tells it. */
  readonly source: string
}

/** What the first of these in the folder tells, of files of at most `largest` bytes; what cannot be read tells nothing. */
export async function firstFound(
  storage: ReadStorage,
  folder: string,
  asked: readonly FileToAsk[],
  largest: number,
): Promise<FoundText | null> {
  const files = asked.map(({ file }) => prefixOf(folder) + file)
  const contents = await storage.read(files, largest)
  for (const [index, { read }] of asked.entries()) {
    const bytes = contents[index]
    const text = bytes?.ok === true ? await readable(() => read(bytes.value)) : null
    if (text !== null) return { text, source: files[index] ?? '' }
  }
  return null
}

/** Null for what cannot be read. */
export async function readable(read: () => string | null | Promise<string | null>): Promise<string | null> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}
