/** Files of other programs, as far as their own structure tells whether all of one is there. */
import { FormatError } from '../../errors.js'
import type { ByteSource } from '../../formats/bytes/byte-source.js'
import { checkHdf5End, isHdf5 } from '../../formats/hdf5/end.js'
import { isGguf } from '../../formats/gguf/gguf.js'
import { isNpy } from '../../formats/numpy/npy.js'
import { checkOnnx } from '../../formats/protobuf/onnx-fields.js'
import { isGzip } from '../../formats/compression/gzip.js'
import { suffixOf } from '../../formats/text/suffix.js'
import { isTar } from '../../formats/archives/tar.js'
import type { ReadStorage } from '../../storage/storage.js'
import { isExtent, isTensorFile, openTensors, type TensorFile } from '../../tensors/read/index.js'
import { isOnnx } from './onnx-data.js'
import { extentOf, type Extent } from './trailing-zeros.js'

/** What one of them is checked by; null for a file that none of them is. `head` are its first 512 bytes. */
export function checkFor(name: string, head: Uint8Array): ((source: ByteSource) => Promise<unknown>) | null {
  const own = ownFormats.get(suffixOf(name).toLowerCase())
  // HDF5 can begin behind a block of the user's.
  if (own === hdf5) return checkHdf5End
  if (own?.begins(head) === false) return () => Promise.reject(noSignature(own.title))
  if (isHdf5(head)) return checkHdf5End
  if (isOnnx(name)) return checkOnnx
  return null
}

const hdf5 = { title: 'an HDF5 file', begins: isHdf5 }

/** Formats that a name stands for alone, so that a file of that name which begins otherwise is none. */
const ownFormats: ReadonlyMap<string, { readonly title: string; begins(head: Uint8Array): boolean }> = new Map([
  ['h5', hdf5],
  ['hdf5', hdf5],
  ['gguf', { title: 'a GGUF file', begins: isGguf }],
  ['npy', { title: 'a NumPy array', begins: isNpy }],
  ['npz', { title: 'an archive of NumPy arrays', begins: isZip }],
  // Keras 2 wrote HDF5 under that name too.
  ['keras', { title: 'a Keras archive', begins: (head) => isZip(head) || isHdf5(head) }],
])

/** An archive without entries too. */
function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5)
}

/** Whether a file is a tar archive, which holds others. */
export function holdsMembers(name: string, head: Uint8Array): boolean {
  return isTar(head) || (suffixOf(name).toLowerCase() === 'nemo' && !isGzip(head))
}

function noSignature(title: string): FormatError {
  return new FormatError(`does not begin as ${title}`, { offset: 0 })
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
    if (isExtent(data)) extents.push(extentOf(tensor, { begin: data.position, end: data.position + data.length }))
  }
  return extents.sort((a, b) => a.begin - b.begin)
}
