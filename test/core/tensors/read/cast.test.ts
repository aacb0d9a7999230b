import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bitsOf, type Dtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { noLosses } from '../../../../src/core/tensors/read/cast-losses.js'
import { canCast, createCast } from '../../../../src/core/tensors/read/cast.js'

interface Recorded {
  readonly inputs: Record<string, string>
  readonly outputs: Record<string, string>
}

/** What torch 1.13's `copy_` made of these inputs on x86-64; `FROM>TO`, hexadecimal. */
const recorded = JSON.parse(
  readFileSync(new URL('../../../fixtures/casts/torch-1.13.json', import.meta.url), 'utf8'),
) as Recorded

function bytesOf(
  values: Float32Array | Float64Array | BigInt64Array | BigUint64Array | Uint16Array | Uint8Array,
): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function cast(from: Dtype, to: Dtype, source: Uint8Array): Uint8Array {
  return createCast(from, to, source.length / (bitsOf[from] / 8))(source).slice()
}

function toFloat32(from: Dtype, source: Uint8Array): Float32Array {
  return new Float32Array(cast(from, 'F32', source).buffer)
}

function codes(to: Dtype, values: readonly number[]): number[] {
  const bytes = cast('F64', to, bytesOf(Float64Array.from(values)))
  return bitsOf[to] === 8 ? [...bytes] : [...new Uint16Array(bytes.buffer)]
}

const elements = (hex: string, dtype: Dtype) => hex.match(new RegExp(`.{${bitsOf[dtype] / 4}}`, 'g')) ?? []

/** NaN patterns in which the kernels of torch differ among themselves, and one rule that torch 2 changed. */
const torchDiffersFromItself = (from: Dtype, to: Dtype, input: string) =>
  (from === 'F16' && to === 'BF16' && input === '247c') ||
  (from === 'F32' && to === 'C64' && ['0100807f', '452381ff'].includes(input)) ||
  (from === 'C64' && to === 'BOOL')

describe('what torch made of it', () => {
  it.each(Object.keys(recorded.outputs))('%s, to the bit', (pair) => {
    const [from, to] = pair.split('>') as [Dtype, Dtype]
    const input = recorded.inputs[from] ?? ''
    const got = Buffer.from(cast(from, to, Buffer.from(input, 'hex'))).toString('hex')
    const compared = (hex: string) =>
      elements(input, from).flatMap((element, i) =>
        torchDiffersFromItself(from, to, element) ? [] : [`${element} -> ${elements(hex, to)[i] ?? ''}`],
      )
    expect(compared(got)).toEqual(compared(recorded.outputs[pair] ?? ''))
  })
})

describe('every 16-bit float', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, code) => code)

  it.each([
    ['F16', 5, 10],
    ['BF16', 8, 7],
  ] as const)('%s means what IEEE 754 says', (dtype, exponentBits, mantissaBits) => {
    const values = toFloat32(dtype, bytesOf(all))
    const bias = 2 ** (exponentBits - 1) - 1
    for (const code of all) {
      const sign = code >> 15 ? -1 : 1
      const exponent = (code >> mantissaBits) & (2 ** exponentBits - 1)
      const fraction = (code & (2 ** mantissaBits - 1)) / 2 ** mantissaBits
      const special = fraction === 0 ? sign * Infinity : NaN
      const finite = sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias))
      if (!Object.is(values[code], exponent === 2 ** exponentBits - 1 ? special : finite)) {
        expect([code, values[code]]).toEqual([code, exponent === 2 ** exponentBits - 1 ? special : finite])
      }
    }
  })

  it.each(['F16', 'BF16'] as const)('%s comes back from float32 and from float64 as it was, but for NaNs', (dtype) => {
    for (const wide of ['F32', 'F64'] as const) {
      const back = new Uint16Array(cast(wide, dtype, cast(dtype, wide, bytesOf(all))).buffer)
      const values = toFloat32(dtype, bytesOf(all))
      const wrong = [...all].filter((code) =>
        Number.isNaN(values[code]) ? !isNaN16(dtype, back[code] ?? 0) : back[code] !== code,
      )
      expect(wrong).toEqual([])
    }
  })

  it.each(['F16', 'BF16'] as const)(
    '%s takes the even neighbour from the middle, and the nearer one beside it',
    (dtype) => {
      const values = toFloat32(dtype, bytesOf(all))
      const largest = dtype === 'F16' ? 0x7bff : 0x7f7f
      const middles = Float64Array.from(
        { length: largest },
        (_, code) => ((values[code] ?? 0) + (values[code + 1] ?? 0)) / 2,
      )
      const singles = Float32Array.from(middles)
      expect(Float64Array.from(singles)).toEqual(middles)
      const bits = new Uint32Array(singles.buffer)
      const round = (words: Uint32Array) => [
        ...new Uint16Array(cast('F32', dtype, bytesOf(new Float32Array(words.buffer))).buffer),
      ]
      expect(round(bits)).toEqual(Array.from(bits, (_, code) => code + (code & 1)))
      expect(round(bits.map((word) => word - 1))).toEqual(Array.from(bits, (_, code) => code))
      expect(round(bits.map((word) => word + 1))).toEqual(Array.from(bits, (_, code) => code + 1))
    },
  )
})

function isNaN16(dtype: 'F16' | 'BF16', code: number): boolean {
  return (code & 0x7fff) > (dtype === 'F16' ? 0x7c00 : 0x7f80)
}

describe('floats of 8 bits', () => {
  it.each(['F8_E5M2', 'F8_E4M3', 'F8_E5M2FNUZ', 'F8_E4M3FNUZ', 'F8_E8M0'] as const)(
    '%s comes back from float32 as it was, but for NaNs',
    (dtype) => {
      const all = Uint8Array.from({ length: 256 }, (_, code) => code)
      const values = toFloat32(dtype, all)
      const back = cast('F32', dtype, bytesOf(values))
      expect([...all].filter((code) => !Number.isNaN(values[code]) && back[code] !== code)).toEqual([])
      expect(toFloat32(dtype, back)).toEqual(values)
    },
  )

  it('E4M3 stays at 448, as in torch from 2.13 on', () => {
    expect(codes('F8_E4M3', [448, 463.9, 464, 465, 480, -1e9, Infinity, -Infinity, NaN])).toEqual([
      0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0xfe, 0x7e, 0xfe, 0x7f,
    ])
    expect(codes('F8_E4M3', [2 ** -9, 2 ** -10, 1.01 * 2 ** -10, -0, 1, -1.0625, 1.1875])).toEqual([
      1, 0, 1, 0x80, 0x38, 0xb8, 0x3a,
    ])
  })

  it('E5M2 goes to 57344, then to infinity', () => {
    expect(codes('F8_E5M2', [57344, 61439, 61440, -65536, Infinity, NaN, 2 ** -16, 2 ** -17])).toEqual([
      0x7b, 0x7b, 0x7c, 0xfc, 0x7c, 0x7f, 1, 0,
    ])
  })

  it('the FNUZ kinds have one NaN, no infinity and no negative zero', () => {
    expect(codes('F8_E4M3FNUZ', [240, 247.9, 248, 256, -1e9, NaN, -0, -(2 ** -20), 1])).toEqual([
      0x7f, 0x7f, 0x80, 0x80, 0x80, 0x80, 0, 0, 0x40,
    ])
    expect(codes('F8_E5M2FNUZ', [57344, 61440, -Infinity, NaN, -0, 1])).toEqual([0x7f, 0x80, 0x80, 0x80, 0, 0x40])
  })

  it('E8M0 keeps the power of two, rounding its middle up, and drops the sign', () => {
    expect(codes('F8_E8M0', [1, 1.49, 1.5, 2, -4, 0, 2 ** -127, NaN, Infinity, 1.5 * 2 ** 127])).toEqual([
      127, 127, 128, 128, 129, 0, 0, 255, 255, 255,
    ])
  })
})

describe('unsigned integers that torch 1.13 did not have', () => {
  const from = (values: readonly number[], to: Dtype) => cast('F64', to, bytesOf(Float64Array.from(values))).buffer

  it('take floats as a C compiler does on x86-64', () => {
    expect([...new Uint16Array(from([-1.5, 65536, 70000.7, NaN, 3e9], 'U16'))]).toEqual([65535, 0, 4464, 0, 0])
    expect([...new Uint32Array(from([-1.5, 2 ** 32 + 5, 4294967295, NaN, 1e30], 'U32'))]).toEqual([
      4294967295, 5, 4294967295, 0, 0,
    ])
    expect([...new BigUint64Array(from([-1, 2 ** 63, 1.5, NaN, 1e30, -1e30], 'U64'))]).toEqual([
      2n ** 64n - 1n,
      2n ** 63n,
      1n,
      2n ** 63n,
      0n,
      2n ** 63n,
    ])
  })

  it('U64 is not taken for a negative number', () => {
    const source = bytesOf(BigUint64Array.from([2n ** 64n - 1n, 2n ** 63n, 2n ** 53n + 1n]))
    expect([...new Float64Array(cast('U64', 'F64', source).buffer)]).toEqual([2 ** 64, 2 ** 63, 2 ** 53])
    expect([...new BigInt64Array(cast('U64', 'I64', source).buffer)]).toEqual([-1n, -(2n ** 63n), 2n ** 53n + 1n])
  })
})

/** The float32 nearest to an integer, even where two are equally near, by exact integers. */
function nearestFloat32(value: bigint): number {
  const magnitude = value < 0n ? -value : value
  const shift = BigInt(Math.max(0, magnitude.toString(2).length - 24))
  const floor = magnitude >> shift
  const rest = (magnitude - (floor << shift)) * 2n
  const up = rest > 1n << shift || (rest === 1n << shift && floor % 2n === 1n)
  const rounded = Number((floor + (up ? 1n : 0n)) << shift)
  return value < 0n ? -rounded : rounded
}

describe('laws', () => {
  it('64-bit integers are rounded to float32 once', () => {
    const close = fc.tuple(fc.bigInt(-(2n ** 24n), 2n ** 24n), fc.integer({ min: 0, max: 38 }), fc.bigInt(-2n, 2n))
    const value = fc.oneof(
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      close.map(([top, shift, little]) => BigInt.asIntN(64, ((top * 2n + 1n) << BigInt(shift)) + little)),
    )
    fc.assert(
      fc.property(value, (integer) => {
        const got = toFloat32('I64', bytesOf(BigInt64Array.from([integer])))[0]
        expect(got).toBe(nearestFloat32(integer))
      }),
      { numRuns: 2000 },
    )
  })

  it('an integer keeps its low bits in a narrower one, and comes back from a wider one', () => {
    const widths = { I8: 8, I16: 16, I32: 32, I64: 64 } as const
    const width = fc.constantFrom('I8', 'I16', 'I32', 'I64')
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), width, (integer, dtype) => {
        const narrow = cast('I64', dtype, bytesOf(BigInt64Array.from([integer])))
        const back = new BigInt64Array(cast(dtype, 'I64', narrow).buffer)[0]
        expect(back).toBe(BigInt.asIntN(widths[dtype], integer))
      }),
    )
  })

  it('a float64 within float32 is rounded as Math.fround does', () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(toFloat32('F64', bytesOf(Float64Array.from([value])))[0]).toBe(Math.fround(value))
      }),
    )
  })

  it('a chunk that begins anywhere in memory gives the same', () => {
    const bytes = bytesOf(Float32Array.from([1, 2.5, -3]))
    const shifted = new Uint8Array(16)
    shifted.set(bytes, 3)
    expect(cast('F32', 'F64', shifted.subarray(3, 15))).toEqual(cast('F32', 'F64', bytes))
  })
})

describe('truth', () => {
  it('is all that is not zero, NaN too, and a complex number by either part', () => {
    expect([...cast('F32', 'BOOL', bytesOf(Float32Array.from([0, -0, NaN, 1e-45, -1])))]).toEqual([0, 0, 1, 1, 1])
    expect([...cast('C64', 'BOOL', bytesOf(Float32Array.from([0, 1, 0, 0, 2, 0])))]).toEqual([1, 0, 1])
  })

  it('is one as a number, whatever the byte', () => {
    expect([...toFloat32('BOOL', Uint8Array.from([0, 1, 2, 255]))]).toEqual([0, 1, 1, 1])
  })
})

describe('dtypes below a byte', () => {
  it('are cast to nothing but themselves', () => {
    expect(canCast('F4', 'F4')).toBe(true)
    expect(canCast('F4', 'F32')).toBe(false)
    expect(canCast('F32', 'F6_E2M3')).toBe(false)
    expect(() => createCast('F4', 'F32', 1)).toThrow('no cast from F4 to F32')
  })
})

describe('what a cast to integers loses', () => {
  const zeros = (from: Dtype, to: Dtype, source: Uint8Array): number => {
    const losses = noLosses()
    createCast(from, to, 4, losses)(source)
    return losses.zero
  }

  it('is told as values that became zero: fractions, and what wraps around to it', () => {
    const fractions = bytesOf(Float32Array.of(0.3, -0.9, 0, 1.5))
    for (const to of ['I8', 'U8', 'I16', 'U16', 'I32', 'U32', 'I64', 'U64'] as const) {
      expect(zeros('F32', to, fractions), to).toBe(2)
    }
    const large = bytesOf(BigInt64Array.of(2n ** 40n, 0n, -(2n ** 40n), 7n))
    expect(zeros('I64', 'I32', large)).toBe(2)
    expect(zeros('I64', 'U64', large)).toBe(0)
  })

  it('is told as values that became another number: what is out of range, and what is no number', () => {
    const wrapped = (from: Dtype, to: Dtype, source: Uint8Array): number => {
      const losses = noLosses()
      createCast(from, to, 4, losses)(source)
      return losses.wrapped
    }
    expect(wrapped('F32', 'I8', bytesOf(Float32Array.of(300, -129, 127.9, -128)))).toBe(2)
    expect(wrapped('F32', 'F8_E4M3', bytesOf(Float32Array.of(464, 464.1, -Infinity, NaN)))).toBe(2)
    expect(wrapped('F32', 'U8', bytesOf(Float32Array.of(-1, 257, 255, 0)))).toBe(2)
    expect(wrapped('F64', 'I32', bytesOf(Float64Array.of(NaN, Infinity, 2147483647, 3e9)))).toBe(3)
    expect(wrapped('F64', 'I64', bytesOf(Float64Array.of(NaN, 1e19, -9.2e18, 2 ** 53)))).toBe(2)
    expect(wrapped('I64', 'U64', bytesOf(BigInt64Array.of(-1n, 2n ** 62n + 1n, 5n, 0n)))).toBe(1)
    expect(wrapped('I64', 'I32', bytesOf(BigInt64Array.of(2n ** 33n + 1n, -(2n ** 31n), 2n ** 31n, 1n)))).toBe(2)
    expect(wrapped('U64', 'I64', bytesOf(BigUint64Array.of(2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n, 1n)))).toBe(2)
  })
})
