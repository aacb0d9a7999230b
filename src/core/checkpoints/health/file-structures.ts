/** Files of other programs, as far as their own structure tells whether all of one is there. */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../../formats/byte-source.js'
import { checkHdf5End, isHdf5 } from '../../formats/hdf5-end.js'
import { checkOnnx } from '../../formats/onnx-fields.js'
import { isGzip } from '../../formats/gzip.js'
import { suffixOf } from '../../formats/suffix.js'
import { isTar } from '../../formats/tar.js'
import type { ReadStorage } from '../../storage/storage.js'
import { isExtent, isTensorFile, openTensors, type TensorFile } from '../../tensors/read/index.js'
import { isOnnx } from './onnx-data.js'
import type { Extent } from './trailing-zeros.js'

/** What one of them is checked by; null for a file that none of them is. `head` are its first 512 bytes. */
export function checkFor(name: string, head: Uint8Array): ((source: ByteSource) => Promise<unknown>) | null {
  if (isHdf5(head)) return checkHdf5End
  const suffix = suffixOf(name).toLowerCase()
  if (suffix === 'h5' || suffix === 'hdf5') return () => Promise.reject(noSignature('HDF5'))
  if (isOnnx(name)) return checkOnnx
  return null
}

/** Whether a file is a tar archive, which holds others. */
export function holdsMembers(name: string, head: Uint8Array): boolean {
  return isTar(head) || (suffixOf(name).toLowerCase() === 'nemo' && !isGzip(head))
}

function noSignature(format: string): FormatError {
  return new FormatError(`does not begin as an ${format} file`, { offset: 0 })
}

/**
 * Opens a file of a format whose tensors are read, and lets go of it; gives where those lie in it that lie there as they
 * are. Throws FormatError where it is broken.
 */
export async function checkTensors(storage: ReadStorage, path: string): Promise<readonly Extent[]> {
  if (!(await isTensorFile(storage, path))) return []
  try {
    const file = await openTensors(storage, path)
    try {
      return await extentsIn(file)
    } finally {
      await file.close()
    }
  } catch (error) {
    // Sound, and of a kind that is not read.
    if (error instanceof FormatError && error.code === 'refused') return []
    throw error
  }
}

/** Formats of one file in which each tensor lies in one piece, and which tell no checksum. */
const plainFormats = new Set(['gguf', 'npy', 'hdf5'])

async function extentsIn(file: TensorFile): Promise<readonly Extent[]> {
  if (!plainFormats.has(file.format)) return []
  const extents: Extent[] = []
  for (const tensor of file.tensors) {
    const data = await file.dataOf(tensor)
    if (isExtent(data)) extents.push({ begin: data.position, end: data.position + data.length })
  }
  return extents.sort((a, b) => a.begin - b.begin)
}
