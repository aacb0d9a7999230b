/** The format that the name of an output says. */
import { extname } from 'node:path'
import { pathOfIndex } from './shards.js'

export type OutputFormat = 'safetensors' | 'torch'

/** The format that a file's name says, or an index's; null where it says none. */
export function formatOfName(path: string): OutputFormat | null {
  const extension = extname(pathOfIndex(path) ?? path).toLowerCase()
  if (extension === '.safetensors') return 'safetensors'
  return ['.pt', '.pth', '.bin'].includes(extension) ? 'torch' : null
}

/** Names by which loaders take a file for one of another format, which is not written here. */
const foreign: ReadonlyMap<string, string> = new Map([
  ['.h5', 'HDF5'],
  ['.hdf5', 'HDF5'],
  ['.keras', 'Keras'],
  ['.npz', 'NumPy'],
  ['.npy', 'NumPy'],
  ['.gguf', 'GGUF'],
  ['.onnx', 'ONNX'],
  ['.msgpack', 'flax'],
])

/** The format of which such a file would be taken for; null for other names. */
export function foreignFormatOfName(path: string): string | null {
  return foreign.get(extname(path).toLowerCase()) ?? null
}
