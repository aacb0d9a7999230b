/**
 * The index of a sharded model: which file has which tensor.
 * Source: transformers/modeling_utils.py (`save_pretrained`), huggingface_hub/serialization/_torch.py.
 */
import { FormatError } from '../../errors.js'
import { isJsonObject, parseJson, type JsonObject } from '../text/json.js'

/** huggingface_hub's reader refuses one above 10 MB; a few real ones are larger. */
export const largestIndex = 64 << 20

export interface WeightMap {
  /** Names of tensors by the file that has them. */
  readonly shards: ReadonlyMap<string, readonly string[]>
  readonly metadata: JsonObject
}

/** Throws FormatError when the text is no such index. */
export function readWeightMap(bytes: Uint8Array): WeightMap {
  const root = parseJson(bytes)
  const map = isJsonObject(root) ? root.get('weight_map') : undefined
  if (!isJsonObject(root) || !isJsonObject(map)) {
    throw new FormatError(`JSON without a weight_map that says which file has which tensor${begins(bytes)}`)
  }
  const shards = new Map<string, string[]>()
  for (const [tensor, value] of map) {
    // Keras lists each file that has some of a layer's (keras/src/saving/saving_lib.py, `ShardedH5IOStore`).
    for (const shard of Array.isArray(value) && value.length > 0 ? value : [value]) {
      if (typeof shard !== 'string')
        throw new FormatError(`weight_map gives no file name for ${JSON.stringify(tensor)}`)
      const tensors = shards.get(shard)
      if (tensors === undefined) shards.set(shard, [tensor])
      else tensors.push(tensor)
    }
  }
  const metadata = root.get('metadata')
  return { shards, metadata: isJsonObject(metadata) ? metadata : new Map() }
}

/** What a server answers in place of a file is short, and says why. */
function begins(bytes: Uint8Array): string {
  return bytes.length > 200 ? '' : `: ${JSON.stringify(new TextDecoder().decode(bytes))}`
}

/** `model.safetensors.index.json` of Hugging Face's libraries, Keras' `model.weights.json`. */
export function isIndexName(name: string): boolean {
  return name.endsWith('.index.json') || name.endsWith('.weights.json')
}

/** True for the name of a file beside the index; anything else would lead elsewhere. */
export function isBeside(shard: string): boolean {
  return shard !== '' && shard !== '.' && shard !== '..' && !/[/\\\0]/.test(shard)
}

/**
 * The names that a shard has which comes from elsewhere: of files with weights alone. None begins with a dot, and none
 * is read as settings.
 */
const shardName = /^[A-Za-z0-9_][\w.+=@-]*\.(?:safetensors|bin|pt|pth|ckpt|msgpack|h5)$/
const longestName = 200

export function isShardName(name: string): boolean {
  return name.length <= longestName && shardName.test(name)
}
