/**
 * Floating-point formats of 8 and 16 bits, to and from float32 bits, as torch converts them on a CPU
 * (PyTorch: c10/util/Half.h, BFloat16.h, Float8_*.h, Float8_fnuz_cvt.h).
 */

/**
 * `ieee`: infinities and NaNs as in float32. `fn`: no infinity, one NaN a sign, and what is too large becomes the largest
 * number (torch from 2.13 on; NaN before). `fnuz`: one NaN, no negative zero.
 */
type Family = 'ieee' | 'fn' | 'fnuz'

export interface SmallFloat {
  readonly bits: 8 | 16
  readonly mantissaBits: number
  readonly bias: number
  readonly family: Family
  /** The code that torch gives to a NaN, the NaN's own sign joined to it. BF16's is that of its vector kernels. */
  readonly nan: number
}

export const smallFloats = {
  F16: { bits: 16, mantissaBits: 10, bias: 15, family: 'ieee', nan: 0x7e00 },
  BF16: { bits: 16, mantissaBits: 7, bias: 127, family: 'ieee', nan: 0xffff },
  F8_E5M2: { bits: 8, mantissaBits: 2, bias: 15, family: 'ieee', nan: 0x7f },
  F8_E4M3: { bits: 8, mantissaBits: 3, bias: 7, family: 'fn', nan: 0x7f },
  F8_E5M2FNUZ: { bits: 8, mantissaBits: 2, bias: 16, family: 'fnuz', nan: 0x80 },
  F8_E4M3FNUZ: { bits: 8, mantissaBits: 3, bias: 8, family: 'fnuz', nan: 0x80 },
} as const satisfies Record<string, SmallFloat>

/**
 * Of a format in which what is too large becomes the largest number: that number, and what is just not too large yet;
 * undefined of any other.
 */
export function saturationOf(format: SmallFloat): { readonly largest: number; readonly limit: number } | undefined {
  if (format.family !== 'fn') return undefined
  const code = largestCode(format)
  const largest = decodeMagnitude(format, code)
  return { largest, limit: largest + (largest - decodeMagnitude(format, code - 1)) / 2 }
}

/** The value of every code, by code. A NaN keeps its payload, made quiet as the processor makes it. */
export function decodingTable(format: SmallFloat): Float32Array {
  const table = new Float32Array(1 << format.bits)
  const bits = new Uint32Array(table.buffer)
  for (let code = 0; code < table.length; code += 1) {
    const value = decode(format, code)
    if (Number.isNaN(value)) bits[code] = quietNaN(format, code)
    else table[code] = value
  }
  return table
}

function quietNaN({ bits, mantissaBits }: SmallFloat, code: number): number {
  const sign = (code >>> (bits - 1)) << 31
  const payload = (code & ((1 << mantissaBits) - 1)) << (23 - mantissaBits)
  return sign | 0x7fc00000 | payload
}

function decode(format: SmallFloat, code: number): number {
  const signBit = 1 << (format.bits - 1)
  if (format.family === 'fnuz' && code === signBit) return NaN
  const magnitude = code & (signBit - 1)
  const value = decodeMagnitude(format, magnitude)
  return (code & signBit) === 0 ? value : -value
}

function decodeMagnitude(format: SmallFloat, magnitude: number): number {
  const { mantissaBits, bias, family } = format
  const largest = largestCode(format)
  if (magnitude > largest) return family === 'ieee' && magnitude === largest + 1 ? Infinity : NaN
  const exponent = magnitude >> mantissaBits
  const fraction = (magnitude & ((1 << mantissaBits) - 1)) / (1 << mantissaBits)
  return exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias)
}

/** The code of the largest finite value. */
function largestCode({ bits, mantissaBits, family }: SmallFloat): number {
  const all = (1 << (bits - 1)) - 1
  if (family === 'fnuz') return all
  return family === 'fn' ? all - 1 : all - (1 << mantissaBits)
}

/** Rounds float32 bits to the format's code, to nearest even. */
export function encoderOf(format: SmallFloat): (float32: number) => number {
  const { bits, mantissaBits, bias, family, nan } = format
  const dropped = 23 - mantissaBits
  const rebias = (127 - bias) << 23
  const half = (1 << (dropped - 1)) - 1
  const smallestNormal = rebias + (1 << 23)
  const largest = largestCode(format)
  const overflow = { ieee: largest + 1, fn: largest, fnuz: nan }[family]
  const toSign = 32 - bits
  const signMask = 1 << (bits - 1)
  return (float32) => {
    const magnitude = float32 & 0x7fffffff
    const sign = (float32 >>> toSign) & signMask
    if (magnitude > 0x7f800000) return family === 'fnuz' ? nan : sign | nan
    let code =
      magnitude >= smallestNormal
        ? (magnitude - rebias + half + ((magnitude >>> dropped) & 1)) >>> dropped
        : roundSubnormal(magnitude, dropped, rebias)
    if (code > largest) code = overflow
    return family === 'fnuz' && (code === 0 || code === nan) ? code : sign | code
  }
}

/** Float32 bits below the format's smallest normal value, as a count of its smallest subnormal. */
function roundSubnormal(magnitude: number, dropped: number, rebias: number): number {
  const exponent = magnitude >>> 23
  const mantissa = (magnitude & 0x7fffff) | (exponent === 0 ? 0 : 0x800000)
  const shift = dropped + (rebias >>> 23) + 1 - Math.max(exponent, 1)
  // So far below half of the smallest subnormal that the shifts of 32-bit integers would wrap.
  if (shift > 25) return 0
  const kept = mantissa >>> shift
  const rest = mantissa & ((1 << shift) - 1)
  const middle = 1 << (shift - 1)
  return rest > middle || (rest === middle && (kept & 1) === 1) ? kept + 1 : kept
}

/** Powers of two from 2^-127; 255 is NaN (PyTorch: c10/util/Float8_e8m0fnu.h). */
export function powerTable(): Float32Array {
  return Float32Array.from({ length: 256 }, (_, code) => (code === 255 ? NaN : 2 ** (code - 127)))
}

/** Float32 bits to the nearest power of two, upwards from the middle; the sign is dropped, as torch drops it. */
export function encodePower(float32: number): number {
  const exponent = (float32 >>> 23) & 0xff
  if (exponent === 255) return 255
  const fraction = float32 & 0x7fffff
  const middle = 0x400000
  return fraction > middle || (fraction === middle && exponent > 0) ? exponent + 1 : exponent
}
