/** torch's storage classes (torch/storage.py, torch/_utils.py). torch itself goes by the class's name in any module. */
import { elementTypes } from '../bytes/elements.js'
import type { PickleNode } from '../pickle/index.js'

export interface StorageType {
  /** torch's dtype without `torch.`. An untyped storage is counted in bytes: `uint8`. */
  readonly dtype: string
  /** Bytes of one element. */
  readonly itemSize: number
}

const dtypeOfClass = new Map([
  ['DoubleStorage', 'float64'],
  ['FloatStorage', 'float32'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
  ['ComplexDoubleStorage', 'complex128'],
  ['ComplexFloatStorage', 'complex64'],
  ['UntypedStorage', 'uint8'],
  ['_UntypedStorage', 'uint8'],
])

/** Quantised elements, which have no plain number behind them, with their bytes. */
const quantised = new Map([
  ['QInt8Storage', { dtype: 'qint8', itemSize: 1 }],
  ['QUInt8Storage', { dtype: 'quint8', itemSize: 1 }],
  ['QInt32Storage', { dtype: 'qint32', itemSize: 4 }],
  ['QUInt4x2Storage', { dtype: 'quint4x2', itemSize: 1 }],
  ['QUInt2x4Storage', { dtype: 'quint2x4', itemSize: 1 }],
])

const storageTypes = new Map<string, StorageType>([
  ...[...dtypeOfClass].map(([name, dtype]) => [name, { dtype, itemSize: elementTypes.get(dtype)?.size ?? 1 }] as const),
  ...quantised,
])

/** The element type of a storage class; undefined for what is not a storage class that torch knows. */
export function storageType(node: PickleNode | undefined): StorageType | undefined {
  if (typeof node !== 'object' || node?.kind !== 'global') return undefined
  return storageTypes.get(node.name.slice(node.name.lastIndexOf('.') + 1))
}
