/** GGUF: plain types as values, quantised ones as the bytes of their blocks (formats/gguf/gguf.ts). */
import { FormatError } from '../../errors.js'
import { readGguf, type GgufTensor, type GgufValue } from '../../formats/gguf/gguf.js'
import { isDtype } from '../../formats/safetensors/safetensors.js'
import { sourceOf } from '../../storage/file-source.js'
import type { ReadHandle } from '../../storage/storage.js'
import { ListedFile, onlyFile, type ListedTensor } from './listed-file.js'
import type { TensorFile } from './tensor.js'
import { turned } from './big-endian.js'

/** Reads all but the tensors' values. Throws FormatError. */
export async function openGguf(handle: ReadHandle): Promise<TensorFile> {
  const stat = await handle.stat()
  const { metadata, tensors, littleEndian } = await readGguf(sourceOf(handle))
  return new ListedFile(onlyFile(handle, stat), {
    format: 'gguf',
    path: handle.path,
    byteLength: handle.size,
    metadata: new Map([...metadata].map(([key, value]) => [key, textOf(value)])),
    tensors: tensors.map((tensor) => listed(tensor, handle, littleEndian)),
  })
}

function listed(
  { name, type, shape, position, bytes }: GgufTensor,
  handle: ReadHandle,
  littleEndian: boolean,
): ListedTensor {
  const extent = { handle, position, length: bytes }
  const open = async () => {
    if (littleEndian) return extent
    if (isDtype(type.name)) return turned(extent, type.blockBytes)
    throw new FormatError(`${JSON.stringify(name)}: blocks of ${type.name} with the highest byte first are not read`, {
      code: 'refused',
    })
  }
  return { name, dtype: type.name, shape, bytes, open }
}

function textOf(value: GgufValue): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object') return String(value)
  if ('of' in value) return `[${value.count} of ${value.of}]`
  return `[${value.map((one) => (typeof one === 'string' ? JSON.stringify(one) : textOf(one))).join(', ')}]`
}
