/**
 * The metadata by which torch.distributed.checkpoint says where the tensors of a safetensors file begin in those that they
 * are parts of (torch/distributed/checkpoint/_hf_utils.py, `CUSTOM_METADATA_KEY`).
 */
import { FormatError } from '../../errors.js'
import { processPart } from '../../formats/safetensors/process-parts.js'
import { isJsonObject, parseJson } from '../../formats/text/json.js'
import type { TensorFile } from './tensor.js'

const infoKey = 'DCP_SHARDING_INFO'

/** Of each tensor that the file says it of. Throws FormatError. */
export function readOffsets({ path, metadata }: Pick<TensorFile, 'path' | 'metadata'>): Map<string, readonly number[]> {
  const info = parseJson(Buffer.from(metadata.get(infoKey) ?? '{}'))
  const found = new Map<string, readonly number[]>()
  for (const [name, entry] of isJsonObject(info) ? info : []) {
    const offsets = isJsonObject(entry) ? entry.get('saved_offsets') : undefined
    const numbers = Array.isArray(offsets) ? offsets.map(Number) : []
    if (!Array.isArray(offsets) || !numbers.every((one) => Number.isSafeInteger(one) && one >= 0)) {
      throw new FormatError(`${path}: its ${infoKey} gives no offsets for ${JSON.stringify(name)}`)
    }
    found.set(name, numbers)
  }
  return found
}

/**
 * What keeps tensors of one such file from being whole, by name: alone it does not tell how far they reach. Empty for what
 * one process wrote in full, whose metadata has offsets too.
 */
export function partsOfOne(file: Pick<TensorFile, 'path' | 'metadata' | 'tensors'>): ReadonlyMap<string, string> {
  if (!file.metadata.has(infoKey)) return new Map()
  const offsets = readOffsets(file)
  const isPart = processPart(file.path) !== null || [...offsets.values()].some((own) => own.some((one) => one > 0))
  if (!isPart) return new Map()
  const why = "what one process saved of it, and the others' parts lie in the files beside: name their folder"
  return new Map(file.tensors.map(({ name }) => [name, why]))
}
