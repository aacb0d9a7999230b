import { extname } from 'node:path'
import { isOfTorch, type TensorFile } from '../read/tensor.js'
import type { OutputFormat } from './write.js'

/** By the name of the output where it says so, else that of a file whose tensors it takes after. */
export function formatFor(output: string, model: TensorFile): OutputFormat {
  const extension = extname(output).toLowerCase()
  if (extension === '.safetensors') return 'safetensors'
  if (['.pt', '.pth', '.bin'].includes(extension)) return 'torch'
  return isOfTorch(model) ? 'torch' : 'safetensors'
}

/** Of a file that takes after `model`. transformers opens no safetensors file that does not say `format`. */
export function metadataLike(model: TensorFile): ReadonlyMap<string, string> {
  return isOfTorch(model) ? new Map([['format', 'pt']]) : model.metadata
}
