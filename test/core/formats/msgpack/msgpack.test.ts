import { describe, expect, it } from 'vitest'
import { checkMsgpack } from '../../../../src/core/formats/msgpack/msgpack.js'

/** `{"step": 300, "params": {"w": ext(1, 5 bytes)}, "l": [nil, true, 1.5, -1]}` */
const whole = Buffer.concat([
  Buffer.from([0x83, 0xa4, ...Buffer.from('step'), 0xcd, 0x01, 0x2c]),
  Buffer.from([0xa6, ...Buffer.from('params'), 0x81, 0xa1, 0x77, 0xc7, 5, 1, 9, 9, 9, 9, 9]),
  Buffer.from([0xa1, 0x6c, 0x94, 0xc0, 0xc3, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]),
])

async function check(bytes: Uint8Array): Promise<void> {
  const source = {
    byteLength: bytes.length,
    read: async (offset: number, length: number) => Promise.resolve(bytes.subarray(offset, offset + length)),
  }
  return checkMsgpack(source)
}

describe('a msgpack file', () => {
  it('is whole when its one value ends at its last byte', async () => {
    await expect(check(whole)).resolves.toBeUndefined()
  })

  it('is cut wherever it was cut', async () => {
    for (let length = 0; length < whole.length; length += 1) {
      await expect(check(whole.subarray(0, length))).rejects.toThrow(/ends early/)
    }
  })

  it('has nothing behind its value', async () => {
    await expect(check(Buffer.concat([whole, Buffer.from([0])]))).rejects.toThrow('1 more follow')
  })

  it('is refused where a byte begins no value', async () => {
    await expect(check(Buffer.from([0xc1]))).rejects.toThrow('no value begins with 0xc1')
  })

  it('is not walked for values that the file is too short for', async () => {
    await expect(check(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0]))).rejects.toThrow(/ends early/)
  })

  it('has a bound for containers in each other', async () => {
    await expect(check(Buffer.alloc(5000, 0x91))).rejects.toThrow('containers in each other')
  })
})
