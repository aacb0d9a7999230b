import { extname } from 'node:path'
import { pathOfIndex } from './shards.js'

export type OutputFormat = 'safetensors' | 'torch'

/** The format that a file's name says, or an index's; null where it says none. */
export function formatOfName(path: string): OutputFormat | null {
  const extension = extname(pathOfIndex(path) ?? path).toLowerCase()
  if (extension === '.safetensors') return 'safetensors'
  return ['.pt', '.pth', '.bin'].includes(extension) ? 'torch' : null
}
