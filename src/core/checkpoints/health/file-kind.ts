/** What a file is, by its first bytes; by its name only where the bytes may be the ones that are broken. */

import { isPickle } from '../../formats/pickle/index.js'
import { suffixOf } from '../../formats/text/suffix.js'
import { isText } from '../../formats/text/text.js'
import { isLegacyStream } from '../../formats/torch-storages/legacy.js'
import { isIndexName } from '../../formats/safetensors/weight-map.js'

export type Kind = 'zip' | 'legacy' | 'pickle' | 'msgpack' | 'safetensors' | 'index' | 'json' | 'text' | 'opaque'

/** Bytes that are looked at. */
export const headLength = 64

/** Its bytes: `PK`, 3, 4. */
const zipMagic = [0x50, 0x4b, 0x03, 0x04]

/** `head` are the first bytes of a file of `size` bytes, which is not empty. */
export function kindOf(name: string, head: Uint8Array, size: number): Kind {
  if (isIndexName(name)) return 'index'
  if (name.endsWith('.json') || isBareJson(name)) return 'json'
  if (name.endsWith('.safetensors')) return 'safetensors'
  // Many archives in one file (torch.distributed.checkpoint/filesystem.py): its own index tells where each lies.
  if (name.endsWith('.distcp')) return 'opaque'
  if (beginsWith(head, zipMagic)) return 'zip'
  if (isLegacyStream(head)) return 'legacy'
  if (looksLikeSafetensors(head, size)) return 'safetensors'
  if (pickleSuffixes.has(suffixOf(name)) && isPickle(head)) return 'pickle'
  if (beginsMap(head) && msgpackName.test(name)) return 'msgpack'
  return isText(head) ? 'text' : 'opaque'
}

/** JSON without a suffix, that cannot be loaded without: Orbax's trees, shardings and items, Zarr's arrays. */
const bareJson =
  /(?:^|\/)(?:_METADATA|_sharding|\.zarray|\.zattrs|array_metadatas\/process_\d+|metrics\/metrics|[^/]+\/metadata)$/

/** The last part of such a name; that of a process begins with `process_`. */
const bareNames = new Set(['_METADATA', '_sharding', '.zarray', '.zattrs', 'metrics', 'metadata'])

export function isBareJson(name: string): boolean {
  const own = name.slice(name.lastIndexOf('/') + 1)
  return (bareNames.has(own) || own.startsWith('process_')) && bareJson.test(name)
}

/** Plain pickles: PaddlePaddle's parameters, replay buffers, model zoos. */
const pickleSuffixes = new Set(['pdparams', 'pdopt', 'pdckpt', 'pkl', 'pickle'])

/** flax's `<prefix><step>` and `.msgpack`, and a component of spaCy's. */
const msgpackName = /(^|\/)model$|(^|\/)[^/.]*\d$|\.msgpack$/

/** A map of msgpack whose first key is a text, as a state's is. */
function beginsMap(head: Uint8Array): boolean {
  const [first = 0] = head
  const key = first > 0x80 && first <= 0x8f ? head[1] : first === 0xde ? head[3] : first === 0xdf ? head[5] : undefined
  return key !== undefined && ((key > 0xa0 && key <= 0xbf) || key === 0xd9)
}

function beginsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return head.length >= magic.length && magic.every((byte, index) => head[index] === byte)
}

/** A header's length, then `{"`: also where the file ends within its header. */
function looksLikeSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 10 || size < 10) return false
  const length = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true)
  return length >= 2n && length <= 100_000_000n && head[8] === 0x7b && head[9] === 0x22
}
