/** The format of an output, by its name or by the files that it is made from. */
import { extname } from 'node:path'
import { isOfTorch, type TensorFile } from '../read/tensor.js'
import { formatOfName, type OutputFormat } from './format-name.js'

/** By the name of the output where it says so, else that of a file whose tensors it takes after. */
export function formatFor(output: string, model: TensorFile): OutputFormat {
  const said = formatOfName(output)
  if (said !== null) return said
  return isOfTorch(model) ? 'torch' : 'safetensors'
}

/**
 * What a file of torch is written as takes after `model`: also what it has around its weights, but for a framework's
 * `.ckpt` that goes into a file of another name, which is for `load_state_dict`.
 */
export function keepsSurroundings(output: string, model: TensorFile): boolean {
  const isCheckpoint = extname(model.path).toLowerCase() === '.ckpt'
  return !isCheckpoint || extname(output).toLowerCase() === '.ckpt'
}

/** transformers opens no safetensors file that does not say whose tensors it holds. */
export function withFormat(metadata: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return metadata.has('format') ? metadata : new Map([['format', 'pt'], ...metadata])
}

/** Of a file that takes after `model`, but for its notes of tied weights. */
export function metadataLike(model: TensorFile): ReadonlyMap<string, string> {
  if (isOfTorch(model)) return new Map([['format', 'pt']])
  const noted = new Set(model.tensors.flatMap(({ name, noted: isNoted }) => (isNoted === true ? [name] : [])))
  return noted.size === 0 ? model.metadata : new Map([...model.metadata].filter(([key]) => !noted.has(key)))
}
