/** What is asked of files that several processes wrote together. */
import { basename } from 'node:path'
import type { Finding } from '../../checkpoint.js'
import { FormatError, StorageError } from '../../errors.js'
import { textOf, type PickleNode } from '../../formats/pickle/index.js'
import { openTorchObject, type TorchObject } from '../../formats/torch/object.js'
import { sourceOf, withFile } from '../../storage/file-source.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { MeasuredFile } from '../layouts/index.js'

/** Files that one checkpoint's findings name. */
export const mostNamed = 8
/** No machine has more processes; a file that says so lies. */
export const mostRanks = 100_000

export type Folder = ReadonlyMap<string, MeasuredFile>

/** By folder (with its `/`, empty for the checkpoint itself), its files by their own names. */
export function byFolder(files: readonly MeasuredFile[]): ReadonlyMap<string, Folder> {
  const folders = new Map<string, Map<string, MeasuredFile>>()
  for (const file of files) {
    const folder = file.name.slice(0, file.name.lastIndexOf('/') + 1)
    const here = folders.get(folder) ?? new Map<string, MeasuredFile>()
    folders.set(folder, here.set(file.name.slice(folder.length), file))
  }
  return folders
}

/** What torch.save wrote; undefined where the file is broken, or of another kind. */
export async function readRoot(storage: ReadStorage, path: string): Promise<PickleNode | undefined> {
  return lookInto(storage, path, ({ root }) => root)
}

/** What `look` gives of an object that torch.save wrote; undefined where the file is broken, or of another kind. */
export async function lookInto<T>(
  storage: ReadStorage,
  path: string,
  look: (object: TorchObject) => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await withFile(storage, path, async (handle) => {
      const object = await openTorchObject(sourceOf(handle))
      return object === null ? undefined : look(object)
    })
  } catch (error) {
    // What is broken about it is reported for the file itself.
    if (error instanceof FormatError || error instanceof StorageError) return undefined
    throw error
  }
}

/** What a dict has under a key, or an object as an attribute. */
export function valueOf(node: PickleNode | undefined, key: string): PickleNode | undefined {
  if (typeof node !== 'object' || node === null || !('entries' in node)) return undefined
  const found = node.entries.findLast(([name]) => textOf(name) === key)?.[1]
  if (found !== undefined || !('states' in node)) return found
  return node.states.map((state) => valueOf(state, key)).find((value) => value !== undefined)
}

/** 0 to `count - 1`: for as many processes as there can be. */
export function range(count: number): number[] {
  return Array.from({ length: Math.min(count, mostRanks) }, (_, index) => index)
}

/** A rank in a name, as Python's `:02d`. */
export function pad(rank: number, digits: number): string {
  return String(rank).padStart(digits, '0')
}

/** That these are not there, the first of them by name. */
export function missing(names: readonly string[], reason: string): Finding[] {
  const named = names.slice(0, mostNamed).map((file): Finding => ({ grade: 'partial', file, reason }))
  const more = names.length - named.length
  if (more === 0) return named
  return [...named, { grade: 'partial', reason: `${more} more files like ${basename(names[0] ?? '')} are not there` }]
}
