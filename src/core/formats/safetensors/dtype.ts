/**
 * The dtypes of safetensors and the bits that one element takes, in the order of the reference's enum, which is
 * that of increasing alignment (safetensors: safetensors/src/tensor.rs, `Dtype`).
 */
export const bitsOf = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const satisfies Record<string, number>

export type Dtype = keyof typeof bitsOf

const known: ReadonlySet<string> = new Set(Object.keys(bitsOf))

export function isDtype(name: string): name is Dtype {
  return known.has(name)
}
