/** The files of a sharded model beside its index: what `KEY: …/model.safetensors.index.json` needs as well. */
import { dirname } from 'node:path'
import { ConfigError } from '../config/index.js'
import { FormatError } from '../errors.js'
import { isBeside, largestIndex, readWeightMap } from '../formats/weight-map.js'
import { folderSource } from '../sources/index.js'
import type { ReadStorage } from '../storage/storage.js'
import type { Origin } from './parse-origin.js'
import type { Loadable, Plan } from './plan.js'
import type { Item } from './survey.js'

/** True for the name that the index of a sharded model has. */
export function isShardIndex(name: string): boolean {
  return name.endsWith('.index.json')
}

/**
 * The plan of the shards that the collected indexes among `items` name: each from the source of its index, beside it
 * there and here. Throws FormatError for an index that is none, or that names a file elsewhere; ConfigError when two
 * indexes name one file.
 */
export async function planShards(storage: ReadStorage, plan: Plan, items: readonly Item[]): Promise<Plan> {
  const loadables: Loadable[] = []
  const taken = new Map(plan.loadables.map(({ key, name }) => [name, key]))
  for (const item of items) {
    // What is used where it lies has its shards beside it.
    if (item.action.kind === 'use' || !isShardIndex(item.name)) continue
    const { key, place } = item.loadable
    for (const shard of await shardsOf(storage, item.path)) {
      const other = taken.get(shard)
      if (other !== undefined) throw new ConfigError(place, `${key} has a shard called ${shard}, as ${other} has`)
      taken.set(shard, key)
      loadables.push(shardOf(item, shard))
    }
  }
  return { ...plan, loadables }
}

function shardOf({ loadable, from }: Item, shard: string): Loadable {
  const { key, place, origin } = loadable
  return {
    key: `${key}/${shard}`,
    name: shard,
    place,
    skippedBy: null,
    origin: origin === null ? null : besideIndex(origin, key, from, shard),
    load: null,
  }
}

/** `from` is the index's own path, where it lies on this machine: a run has no name for what lies beside its files. */
function besideIndex({ source, file, digest }: Origin, key: string, from: string, shard: string): Origin {
  if (source.identify({ key, file, digest }) === null) {
    return { source: folderSource(dirname(from)), file: shard, digest: null }
  }
  const folder = file?.slice(0, file.lastIndexOf('/') + 1) ?? ''
  return { source, file: `${folder}${shard}`, digest: null }
}

async function shardsOf(storage: ReadStorage, path: string): Promise<string[]> {
  const [read] = await storage.read([path], largestIndex)
  if (read?.ok !== true) throw read?.error ?? new FormatError(`${path}: could not be read`)
  const shards = [...readWeightMap(read.value).shards.keys()]
  const elsewhere = shards.find((shard) => !isBeside(shard))
  if (elsewhere === undefined) return shards
  throw new FormatError(`${path}: names ${JSON.stringify(elsewhere)}, which is no file beside it`)
}
