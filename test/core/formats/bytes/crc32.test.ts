import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { combineCrc32, crc32, crc32ByTable, fastCrc32, type Crc32 } from '../../../../src/core/formats/bytes/crc32.js'

const ways: readonly [string, Crc32][] = [
  ['by table', crc32ByTable],
  ['by the fastest way', (bytes, previous) => fastCrc32()?.crc32(bytes, previous) ?? crc32ByTable(bytes, previous)],
  ['by the way for its length', crc32],
]

describe.each(ways)('CRC-32 %s', (_, sum) => {
  it('is the check value of the catalogues', () => {
    expect(sum(Buffer.from('123456789'), 0)).toBe(0xcbf43926)
    expect(sum(new Uint8Array(), 0)).toBe(0)
  })

  it('is the same in parts as in one, and as by table', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
        expect(sum(second, sum(first, 0))).toBe(crc32ByTable(Buffer.concat([first, second]), 0))
      }),
    )
    const long = randomBytes(100_000)
    expect(sum(long.subarray(7), sum(long.subarray(0, 7), 0))).toBe(crc32ByTable(long, 0))
  })
})

describe('the sum of two parts', () => {
  it('comes from theirs and the length of the second', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array({ maxLength: 3000 }), (first, second) => {
        const joined = combineCrc32(crc32(first, 0), crc32(second, 0), second.length)
        expect(joined).toBe(crc32(Buffer.concat([first, second]), 0))
      }),
    )
  })

  it('holds for lengths beyond 32 bits', () => {
    // Five times 2³⁰ zeros, in one step or in five.
    const some = crc32(Buffer.from('some'), 0)
    let gibibyte = crc32(new Uint8Array(1 << 20), 0)
    for (let bits = 20; bits < 30; bits += 1) gibibyte = combineCrc32(gibibyte, gibibyte, 2 ** bits)
    const five = [1, 2, 3, 4].reduce((sum) => combineCrc32(sum, gibibyte, 2 ** 30), gibibyte)
    const stepwise = [1, 2, 3, 4, 5].reduce((sum) => combineCrc32(sum, gibibyte, 2 ** 30), some)
    expect(combineCrc32(some, five, 5 * 2 ** 30)).toBe(stepwise)
  })
})
