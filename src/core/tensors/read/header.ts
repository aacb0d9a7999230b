/** The header of a safetensors file that holds another file's tensors. */
import { CkptError } from '../../errors.js'
import { formatHeader, isDtype, type Outline } from '../../formats/safetensors/safetensors.js'
import type { TensorFile } from './tensor.js'

/** Throws CkptError `refused` for a tensor of a dtype that safetensors does not have. */
export function headerFor({ path, tensors, metadata }: TensorFile): Uint8Array {
  const outlines = tensors
    .filter(({ noted }) => noted !== true)
    .map(({ name, dtype, shape, bytes }): Outline => {
      if (isDtype(dtype)) return { name, dtype, shape, bytes }
      throw new CkptError('refused', `${path}: safetensors has no dtype for ${JSON.stringify(name)}, which is ${dtype}`)
    })
  return formatHeader(outlines, metadata)
}
