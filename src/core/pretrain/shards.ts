/** The files of a sharded model beside its index: what `KEY: …/model.safetensors.index.json` needs as well. */
import { dirname } from 'node:path'
import { ConfigError } from '../formats/yaml/config-yaml.js'
import { CkptError, FormatError } from '../errors.js'
import { isShardName } from '../formats/safetensors/weight-map.js'
import { folderSource } from './sources/index.js'
import type { ReadStorage } from '../storage/storage.js'
import { readShardNames } from '../tensors/read/index.js'
import type { Origin } from './parse-origin.js'
import type { Loadable, PretrainPlan } from './plan.js'
import type { Failed, Item } from './survey.js'

/** True for the name that the index of a sharded model has. */
export function isShardIndex(name: string): boolean {
  return name.endsWith('.index.json')
}

/** True for an index that is still to come: what it names is known when it is here. */
export function isIndexToCome({ name, action }: Item): boolean {
  return action.kind === 'download' && isShardIndex(name)
}

/** True for a shard of the index that `item` is. */
export function isShardOf({ loadable }: Item, other: Item): boolean {
  return other.loadable.key.startsWith(`${loadable.key}/`)
}

export interface Shards {
  readonly plan: PretrainPlan
  /** The indexes that are none, that name a file elsewhere, or one that is another's. */
  readonly failed: readonly Failed[]
}

/**
 * The plan of the shards that the indexes among `items` name: each from the source of its index, beside it there and
 * here. `done` says that the items have been collected; else those that are still to be fetched are left out.
 */
export async function planShards(
  storage: ReadStorage,
  plan: PretrainPlan,
  items: readonly Item[],
  done: boolean,
): Promise<Shards> {
  const loadables: Loadable[] = []
  const failed: Failed[] = []
  const taken = new Map(plan.loadables.map(({ key, name }) => [name, key]))
  for (const item of items) {
    const path = indexAt(item, done)
    if (path === null) continue
    const { loadable } = item
    try {
      const shards = await collectableShards(storage, path)
      for (const shard of shards) refuseTaken(loadable, shard, taken)
      for (const shard of shards) taken.set(shard, loadable.key)
      for (const shard of shards) loadables.push(shardOf(item, shard))
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      failed.push({ loadable, error })
    }
  }
  return { plan: { ...plan, loadables }, failed }
}

/** Where an index can be read; null for what is none, and for what is used where it lies, its shards beside it. */
function indexAt({ name, path, action }: Item, done: boolean): string | null {
  if (action.kind === 'use' || !isShardIndex(name)) return null
  if (done || action.kind === 'keep') return path
  return action.kind === 'link' ? action.file.path : null
}

/** Throws ConfigError. */
function refuseTaken({ key, position }: Loadable, shard: string, taken: ReadonlyMap<string, string>): void {
  const other = taken.get(shard)
  if (other === undefined) return
  throw new ConfigError(position, `${key} has a shard called ${shard}, as ${other} has`, {
    hint: 'collect them in two folders, by two plans',
  })
}

function shardOf({ loadable, from }: Item, shard: string): Loadable {
  const { key, position, origin } = loadable
  return {
    key: `${key}/${shard}`,
    name: shard,
    position,
    skippedBy: null,
    origin: origin === null ? null : besideIndex(origin, key, from, shard),
    load: null,
  }
}

/** `from` is the index's own path, where it lies on this machine. */
function besideIndex({ source, file, digest }: Origin, key: string, from: string, shard: string): Origin {
  const beside = source.beside({ key, file, digest }, shard)
  if (beside === null) return { source: folderSource(dirname(from)), file: shard, digest: null }
  return { source, file: beside, digest: null }
}

/** The largest models have a few hundred. */
const mostShards = 10_000

/** Throws StorageError, FormatError. */
async function collectableShards(storage: ReadStorage, path: string): Promise<string[]> {
  const shards = await readShardNames(storage, path)
  const wrong = shards.find((shard) => !isShardName(shard))
  if (wrong !== undefined) {
    throw new FormatError(`${path}: names ${JSON.stringify(wrong)}, which is not a name of a file of weights beside it`)
  }
  if (shards.length <= mostShards) return shards
  throw new FormatError(`${path}: names ${shards.length} shards, and at most ${mostShards} are collected`)
}
