/** Arrays as numpy writes them: packed, the last axis fastest or the first, in either order of bytes. */
import { CkptError, FormatError } from '../../errors.js'
import { packedStrides } from '../../formats/bytes/elements.js'
import type { ArrayType } from '../../formats/numpy/npy.js'
import { gather, isContiguous } from './gather-strided.js'
import type { ListedTensor } from './listed-file.js'
import type { StorageBytes } from './storage-bytes.js'
import type { TensorData } from './extent.js'
import { nameOfTorchDtype, numberSize } from './torch-dtypes.js'
import { turned } from './big-endian.js'

export interface NumpyArray {
  readonly name: string
  readonly type: ArrayType
  readonly shape: readonly number[]
  readonly isFortran: boolean
  /** From its first element on; there may be more behind the last. */
  readonly bytes: StorageBytes
}

/** Throws FormatError for one with fewer bytes than its shape makes. */
export function listArray({ name, type, shape, isFortran, bytes }: NumpyArray): ListedTensor {
  const length = shape.reduce((product, size) => product * size, type.size)
  if (bytes.length < length) {
    throw new FormatError(
      `${JSON.stringify(name)} ends early: it has ${bytes.length} bytes, and ${type.name} [${shape.join(', ')}] takes ${length}`,
    )
  }
  const view = { offset: 0, shape, strides: packedStrides(shape, isFortran ? 'F' : 'C'), itemSize: type.size }
  const open = async (): Promise<TensorData> => {
    const data = isContiguous(view) ? await together(bytes, length) : await transposed(name, bytes, view, length)
    return type.littleEndian ? data : turned(data, numberSize(type.name, type.size))
  }
  return { name, dtype: nameOfTorchDtype(type.name), shape, bytes: length, open }
}

async function together(bytes: StorageBytes, length: number): Promise<TensorData> {
  const extent = await bytes.extent()
  if (extent !== null) return { ...extent, length }
  return { length, read: (wanted, chunk) => bytes.stream(0, wanted, chunk) }
}

/** Bytes of packed elements in another order than they are wanted in: each look at them unpacks all before it. */
const largestPacked = 1 << 26

async function transposed(
  name: string,
  bytes: StorageBytes,
  view: Parameters<typeof gather>[1],
  length: number,
): Promise<TensorData> {
  if (length > largestPacked && (await bytes.extent()) === null) {
    throw new CkptError(
      'refused',
      `${JSON.stringify(name)} has its first axis fastest, and its ${length} bytes are packed`,
      {
        hint: 'unpack the archive first, or save it with numpy.savez instead of savez_compressed',
      },
    )
  }
  return { length, read: (wanted, chunk) => gather(bytes, view, wanted, chunk) }
}
