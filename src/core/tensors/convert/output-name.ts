/** What an output is called where nothing else is said: as Hugging Face's loaders look for it. */
import { basename, extname } from 'node:path'
import type { OutputFormat } from '../write/index.js'

const extensions: Readonly<Record<OutputFormat, string>> = { safetensors: '.safetensors', torch: '.pt' }

/**
 * `model.safetensors` for `pytorch_model.bin` and for its index, and the other way round in a model's folder; `x.pt`
 * for `x.safetensors` elsewhere. Variants stay: `pytorch_model.fp16.bin` is `model.fp16.safetensors`.
 */
export function outputName(path: string, format: OutputFormat, isModelFolder: boolean): string {
  const name = basename(path).replace(/\.index\.json$/, '')
  const stem = basename(name, extname(name))
  if (format === 'safetensors') return `${stem.replace(pytorch, 'model')}${extensions.safetensors}`
  if (!isModelFolder || extname(name) !== '.safetensors') return `${stem}${extensions.torch}`
  return `${stem.replace(/^model(?=\.|$)/, 'pytorch_model')}.bin`
}

/** Not `diffusion_pytorch_model`, which has that name in both formats. */
const pytorch = /^pytorch_model(?=\.|$)/
