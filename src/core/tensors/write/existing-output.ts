/** What lies under an output's name already: one file, or shards with their index. */
import { basename, dirname, extname, join } from 'node:path'
import { FormatError, StorageError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { readShardNames } from '../read/index.js'
import { isReplaceable } from './publish-file.js'
import { indexPath } from './shards.js'

/** Absolute paths. */
export interface Earlier {
  /** What is there of it: the file, the index, and the shards that the index names. */
  readonly files: readonly string[]
  /** The shards among them. */
  readonly shards: ReadonlySet<string>
}

/** Never a file that an index names otherwise than shards of just this output are named: it is somebody else's. */
export async function findEarlier(storage: Storage, output: string): Promise<Earlier> {
  const index = indexPath(output)
  const named = (await readNames(storage, index)).filter((name) => isShardOf(output, name))
  const shards = named.map((name) => join(dirname(output), name))
  const found = await storage.lstat([output, index, ...shards])
  const files: string[] = []
  for (const [at, path] of [output, index, ...shards].entries()) {
    const entry = found[at]
    if (entry?.ok === true && (await isReplaceable(storage, path, entry.value.kind))) files.push(path)
  }
  return { files, shards: new Set(shards.filter((path) => files.includes(path))) }
}

/** What is not an index names nothing. */
async function readNames(storage: Storage, index: string): Promise<string[]> {
  try {
    return await readShardNames(storage, index)
  } catch (error) {
    if (error instanceof FormatError || error instanceof StorageError) return []
    throw error
  }
}

/** `model-00001-of-00003.safetensors` for `model.safetensors`, or the name that a shard has while it is replaced. */
function isShardOf(output: string, name: string): boolean {
  const extension = extname(output)
  if (!name.endsWith(extension)) return false
  const stem = name.slice(0, name.length - extension.length)
  const own = `${basename(output, extension)}-`
  if (stem.startsWith(own)) return /^\d{5,}-of-\d{5,}$/.test(stem.slice(own.length))
  return /^\.ckpt-[0-9a-f]{16}$/.test(stem)
}
