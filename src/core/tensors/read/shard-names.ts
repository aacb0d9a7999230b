/** The files that the index of a sharded model names, by themselves: none is opened. */
import { dirname, join } from 'node:path'
import { isBeside, largestIndex, readWeightMap } from '../../formats/safetensors/weight-map.js'
import type { ReadStorage } from '../../storage/storage.js'

/** As they stand there: some may lead elsewhere. Throws StorageError, and FormatError for what is no index. */
export async function readShardNames(storage: ReadStorage, index: string): Promise<string[]> {
  const [read] = await storage.read([index], largestIndex)
  if (read?.ok !== true) throw read?.error ?? new RangeError(`${index} was not read`)
  return [...readWeightMap(read.value).shards.keys()]
}

/** Absolute paths of those that lie beside it, as `index` does. Throws as `readShardNames` does. */
export async function readShardPaths(storage: ReadStorage, index: string): Promise<string[]> {
  const names = await readShardNames(storage, index)
  return names.filter(isBeside).map((name) => join(dirname(index), name))
}
