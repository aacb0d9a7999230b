/** numpy and torch objects that Python wrote through `__reduce__`, as data. */
import { elementCount, packedStrides, readView, type ElementType, type ArrayLayout } from '../bytes/elements.js'
import type { NumpyDtype } from '../numpy/dtype.js'
import type { BareStorage } from '../torch-storages/legacy.js'
import type { NumpyArray, NumpyScalar, TorchTensor } from './value.js'

/** numpy's `scalar(dtype, bytes)`; undefined when the bytes are too few. */
export function numpyScalar(dtype: NumpyDtype, bytes: Uint8Array): NumpyScalar | undefined {
  if (bytes.length < dtype.size) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { kind: 'numpy', dtype: dtype.name, value: dtype.read(view, 0, dtype.littleEndian) }
}

/** numpy's `_reconstruct` with its state; undefined when the bytes do not fill the shape. */
export function numpyArray(
  dtype: NumpyDtype,
  shape: readonly number[],
  fortran: boolean,
  bytes: Uint8Array,
): NumpyArray | undefined {
  const count = elementCount(shape)
  if (count === null || count * dtype.size !== bytes.length) return undefined
  const strides = packedStrides(shape, fortran ? 'F' : 'C')
  const values = readView(bytes, dtype, dtype.littleEndian, { offset: 0, shape, strides })
  return values === undefined ? undefined : { kind: 'ndarray', dtype: dtype.name, shape, values }
}

/**
 * A tensor upon a storage; offset and strides count elements. Undefined when it reaches outside of the storage.
 */
export function torchTensor(type: ElementType, storage: BareStorage, strided: ArrayLayout): TorchTensor | undefined {
  const values = readView(storage.bytes, type, storage.littleEndian, strided)
  return values === undefined ? undefined : { kind: 'tensor', dtype: type.name, shape: strided.shape, values }
}
