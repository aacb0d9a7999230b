/** torch's dtypes by safetensors' names (safetensors: bindings/python/py_src/safetensors/torch.py, `_TYPES`). */
const names = new Map([
  ['bool', 'BOOL'],
  ['uint8', 'U8'],
  ['int8', 'I8'],
  ['int16', 'I16'],
  ['uint16', 'U16'],
  ['float16', 'F16'],
  ['bfloat16', 'BF16'],
  ['int32', 'I32'],
  ['uint32', 'U32'],
  ['float32', 'F32'],
  ['float64', 'F64'],
  ['int64', 'I64'],
  ['uint64', 'U64'],
  ['complex64', 'C64'],
  ['float8_e4m3fn', 'F8_E4M3'],
  ['float8_e5m2', 'F8_E5M2'],
  ['float8_e8m0fnu', 'F8_E8M0'],
  ['float8_e4m3fnuz', 'F8_E4M3FNUZ'],
  ['float8_e5m2fnuz', 'F8_E5M2FNUZ'],
])

export const torchDtypeNames: readonly string[] = [...names.keys()]

/** torch's own name for what safetensors does not have. */
export function nameOfTorchDtype(dtype: string): string {
  return names.get(dtype) ?? dtype
}

/** The other way round; undefined for a dtype that torch does not have. */
export function torchNameOf(dtype: string): string | undefined {
  for (const [name, known] of names) if (known === dtype) return name
  return undefined
}

/** Bytes of each number in an element: a complex one has two. */
export function numberSize(dtype: string, itemSize: number): number {
  return dtype.startsWith('complex') ? itemSize / 2 : itemSize
}

/** True for dtypes whose numbers have a sign bit on top, so that it can be flipped to negate them. */
export function hasSignBit(dtype: string): boolean {
  return /^(?:b?float(?:16|32|64)|complex(?:32|64|128))$/.test(dtype)
}
