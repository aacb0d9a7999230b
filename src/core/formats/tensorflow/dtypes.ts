/** TensorFlow's dtypes by their numbers (tensorflow/core/framework/types.proto). */

export interface TensorFlowDtype {
  /** By safetensors' name where it has one. */
  readonly name: string
  /** Of one element; 0 where they have no fixed size. */
  readonly bits: number
}

const dtypes = new Map<number, TensorFlowDtype>([
  [1, { name: 'F32', bits: 32 }],
  [2, { name: 'F64', bits: 64 }],
  [3, { name: 'I32', bits: 32 }],
  [4, { name: 'U8', bits: 8 }],
  [5, { name: 'I16', bits: 16 }],
  [6, { name: 'I8', bits: 8 }],
  [7, { name: 'string', bits: 0 }],
  [8, { name: 'C64', bits: 64 }],
  [9, { name: 'I64', bits: 64 }],
  [10, { name: 'BOOL', bits: 8 }],
  [11, { name: 'qint8', bits: 8 }],
  [12, { name: 'quint8', bits: 8 }],
  [13, { name: 'qint32', bits: 32 }],
  [14, { name: 'BF16', bits: 16 }],
  [15, { name: 'qint16', bits: 16 }],
  [16, { name: 'quint16', bits: 16 }],
  [17, { name: 'U16', bits: 16 }],
  [18, { name: 'complex128', bits: 128 }],
  [19, { name: 'F16', bits: 16 }],
  [20, { name: 'resource', bits: 0 }],
  [21, { name: 'variant', bits: 0 }],
  [22, { name: 'U32', bits: 32 }],
  [23, { name: 'U64', bits: 64 }],
  [24, { name: 'F8_E5M2', bits: 8 }],
  [25, { name: 'F8_E4M3', bits: 8 }],
  [26, { name: 'F8_E4M3FNUZ', bits: 8 }],
  [28, { name: 'F8_E5M2FNUZ', bits: 8 }],
])

/** What is not known has a name of its number and no size. */
export function dtypeOf(number: number): TensorFlowDtype {
  return dtypes.get(number) ?? { name: `tensorflow-dtype-${number}`, bits: 0 }
}
