import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Dtype } from '../../../../src/core/formats/safetensors/safetensors.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { createCast } from '../../../../src/core/tensors/read/cast.js'
import { findNonFinite, openTensors, type NonFinite } from '../../../../src/core/tensors/read/index.js'
import { makeFolder } from '../../checkpoints/layouts/folders.js'

const folder = makeFolder()

async function scan(dtype: Dtype, count: number, bytes: Uint8Array): Promise<NonFinite | null> {
  const header = Buffer.from(`{"w":{"dtype":"${dtype}","shape":[${count}],"data_offsets":[0,${bytes.length}]}}`)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  const path = join(folder, 'one.safetensors')
  writeFileSync(path, Buffer.concat([length, header, bytes]))
  const file = await openTensors(localStorage(), path)
  try {
    const [tensor] = file.tensors
    if (tensor === undefined) throw new Error('no tensor')
    return await findNonFinite(dtype, await file.dataOf(tensor), () => undefined)
  } finally {
    await file.close()
  }
}

function doubles(values: readonly number[]): Uint8Array {
  return new Uint8Array(new Float64Array(values).buffer)
}

describe('values that are not finite', () => {
  const values = [0, 1, -2.5, NaN, 3, Infinity, -Infinity, 0.5]

  it.each(['F64', 'F32', 'F16', 'BF16', 'F8_E5M2'] as const)('are counted in %s, with the first', async (dtype) => {
    const bytes = dtype === 'F64' ? doubles(values) : createCast('F64', dtype, values.length)(doubles(values)).slice()
    expect(await scan(dtype, values.length, bytes)).toEqual({ nan: 1, infinite: 2, first: 3 })
  })

  it.each([
    ['F8_E4M3', 0x7f],
    ['F8_E4M3', 0xff],
    ['F8_E5M2FNUZ', 0x80],
    ['F8_E4M3FNUZ', 0x80],
    ['F8_E8M0', 0xff],
  ] as const)('of %s are NaN alone, as code %i', async (dtype, code) => {
    expect(await scan(dtype, 4, Uint8Array.of(1, 2, code, 0x7e))).toEqual({ nan: 1, infinite: 0, first: 2 })
  })

  it('are counted in both parts of complex values', async () => {
    const bytes = new Uint8Array(new Float32Array([1, 2, 3, NaN, Infinity, 4]).buffer)
    expect(await scan('C64', 3, bytes)).toEqual({ nan: 1, infinite: 1, first: 1 })
  })

  it.each(['I64', 'U8', 'BOOL'] as const)('are none in %s', async (dtype) => {
    expect(await scan(dtype, dtype === 'I64' ? 1 : 8, new Uint8Array(8).fill(255))).toBeNull()
  })

  it('are found in chunks that begin at odd bytes', async () => {
    const bytes = new Uint8Array(13)
    bytes.set(new Uint8Array(new Float32Array([1, 2, Infinity]).buffer), 1)
    async function* read() {
      yield bytes.subarray(1)
    }
    expect(await findNonFinite('F32', { length: 12, read }, () => undefined)).toEqual({ nan: 0, infinite: 1, first: 2 })
  })

  it('are exactly those that JavaScript calls so, in any F32, beyond one chunk too', async () => {
    const word = fc.oneof(fc.constantFrom(0x7f800000, 0xff800000, 0x7f800001, 0xffc00000, 0x7f7fffff), fc.nat())
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 30 }), fc.boolean(), async (words, long) => {
        const all = new Uint32Array([...(long ? new Uint32Array(300_000) : []), ...words])
        const floats = new Float32Array(all.buffer)
        const nan = floats.filter((value) => Number.isNaN(value)).length
        const infinite = floats.filter((value) => Math.abs(value) === Infinity).length
        const first = floats.findIndex((value) => !Number.isFinite(value))
        const expected = first === -1 ? null : { nan, infinite, first }
        expect(await scan('F32', all.length, new Uint8Array(all.buffer))).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })
})
