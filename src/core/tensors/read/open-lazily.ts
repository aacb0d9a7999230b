/**
 * Opens files of tensors, and loads the code of their formats with the first one: most commands that read checkpoints open
 * none, and all formats together are a tenth of what `ckpt find` would load.
 */
import type { ReadStorage } from '../../storage/storage.js'
import type { TensorFolder } from './tensor-folder.js'
import type { TensorFile } from './tensor.js'

/**
 * Opens a file of tensors, of a format known by its bytes and not by its name; reads headers only. The index of a
 * sharded model opens all of its files, and a folder that is one checkpoint of several processes those that it needs.
 * `path` is absolute. Throws StorageError and FormatError: a file that is broken, or of another kind, which is named.
 */
export async function openTensors(storage: ReadStorage, path: string): Promise<TensorFile> {
  return (await import('./open.js')).openTensors(storage, path)
}

/** TensorFlow's index with its texts among the tensors, for their checksums. Throws as `openTensors` does. */
export async function openTensorFlowWithTexts(storage: ReadStorage, path: string): Promise<TensorFile> {
  return (await import('./open.js')).openTensorFlowWithTexts(storage, path)
}

/** True for a file that begins as one of the formats does: not for an index, which names others. */
export async function isTensorFile(storage: ReadStorage, path: string): Promise<boolean> {
  return (await import('./open.js')).isTensorFile(storage, path)
}

/** Null for a folder of another kind, and for what is not a folder. `path` is absolute. */
export async function findTensorFolder(storage: ReadStorage, path: string): Promise<TensorFolder | null> {
  return (await import('./tensor-folder.js')).findTensorFolder(storage, path)
}

/** Names of the arrays that the tree of a folder has, each of which has a folder or a key of that name. Throws FormatError. */
export async function listOrbaxArrays(storage: ReadStorage, folder: string): Promise<string[]> {
  return (await import('./orbax-folder.js')).listOrbaxArrays(storage, folder)
}
