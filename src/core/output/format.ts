import { extname } from 'node:path'
import type { TensorFile } from '../tensors/tensor.js'
import type { OutputFormat } from './write.js'

/** By the name of the output where it says so, else that of a file whose tensors it takes after. */
export function formatFor(output: string, model: TensorFile): OutputFormat {
  const extension = extname(output).toLowerCase()
  if (extension === '.safetensors') return 'safetensors'
  if (['.pt', '.pth', '.bin'].includes(extension)) return 'torch'
  return model.format.startsWith('torch') ? 'torch' : 'safetensors'
}
