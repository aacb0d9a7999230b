import { describe, expect, it } from 'vitest'
import { FormatError } from '../../../../src/core/errors.js'
import {
  isLegacyStream,
  readBareStorage,
  readLegacyLayout,
} from '../../../../src/core/formats/torch-storages/legacy.js'
import type { ByteSource } from '../../../../src/core/formats/bytes/byte-source.js'

/** torch 2.13: OrderedDict(w=[[1, 2], [3, 4]] float32, n=7 int64), saved without the zip format. */
const stream = Uint8Array.from(
  Buffer.from(
    'gAKKCmz8nEb5IGqoUBkugAJN6QMugAJ9cQAoWBAAAABwcm90b2NvbF92ZXJzaW9ucQFN6QNYDQAAAGxpdHRsZV9lbmRpYW5xAohYCgAAAHR5cGVfc2l6ZXNxA31xBChYBQAAAHNob3J0cQVLAlgDAAAAaW50cQZLBFgEAAAAbG9uZ3EHSwR1dS6AAmNjb2xsZWN0aW9ucwpPcmRlcmVkRGljdApxAClScQEoWAEAAAB3cQJjdG9yY2guX3V0aWxzCl9yZWJ1aWxkX3RlbnNvcl92MgpxAygoWAcAAABzdG9yYWdlcQRjdG9yY2gKRmxvYXRTdG9yYWdlCnEFWA4AAAA5NDczNTk1MTUxMTc2MHEGWAMAAABjcHVxB0sETnRxCFFLAEsCSwKGcQlLAksBhnEKiWgAKVJxC3RxDFJxDVgBAAAAbnEOaAMoKGgEY3RvcmNoCkxvbmdTdG9yYWdlCnEPWA4AAAA5NDczNTk1MTUxMTkwNHEQaAdLAU50cRFRSwApKYloAClScRJ0cRNScRR1LoACXXEAKFgOAAAAOTQ3MzU5NTE1MTE3NjBxAVgOAAAAOTQ3MzU5NTE1MTE5MDRxAmUuBAAAAAAAAAAAAIA/AAAAQAAAQEAAAIBAAQAAAAAAAAAHAAAAAAAAAA==',
    'base64',
  ),
)

/** A bare float32 storage of one element, 1.5, as torch writes it into YAML. */
const bare = Uint8Array.from(
  Buffer.from(
    'gAKKCmz8nEb5IGqoUBkugAJN6QMugAJ9cQAoWBAAAABwcm90b2NvbF92ZXJzaW9ucQFN6QNYDQAAAGxpdHRsZV9lbmRpYW5xAohYCgAAAHR5cGVfc2l6ZXNxA31xBChYBQAAAHNob3J0cQVLAlgDAAAAaW50cQZLBFgEAAAAbG9uZ3EHSwR1dS6AAihYBwAAAHN0b3JhZ2VxAGN0b3JjaApGbG9hdFN0b3JhZ2UKcQFYDgAAADk0MjU0MjM4OTIwNTc2cQJYAwAAAGNwdXEDSwFOdHEEUS6AAl1xAFgOAAAAOTQyNTQyMzg5MjA1NzZxAWEuAQAAAAAAAAAAAMA/',
    'base64',
  ),
)

function source(bytes: Uint8Array, reads: number[] = []): ByteSource {
  return {
    byteLength: bytes.length,
    read: (offset, length) => {
      reads.push(length)
      return Promise.resolve(bytes.slice(offset, offset + length))
    },
  }
}

describe('a legacy stream', () => {
  it('is known by its first bytes', () => {
    expect(isLegacyStream(stream)).toBe(true)
    expect(isLegacyStream(stream.subarray(0, 14))).toBe(false)
  })

  it('tells its storages and how long it must be', async () => {
    const layout = await readLegacyLayout(source(stream))
    expect(layout.expectedLength).toBe(stream.length)
    expect(layout.storages).toEqual([
      { key: '94735951511760', dtype: 'float32', itemSize: 4, location: 'cpu', count: 4, offset: 461, byteLength: 16 },
      { key: '94735951511904', dtype: 'int64', itemSize: 8, location: 'cpu', count: 1, offset: 485, byteLength: 8 },
    ])
    expect(layout.root).toMatchObject({ kind: 'call', callee: { module: 'collections', name: 'OrderedDict' } })
  })

  it('that was cut in its data still tells how long it must be', async () => {
    const layout = await readLegacyLayout(source(stream.subarray(0, 470)))
    expect(layout.expectedLength).toBe(stream.length)
  })

  it('that was cut in its header says so', async () => {
    await expect(readLegacyLayout(source(stream.subarray(0, 300)))).rejects.toThrow(/ends early/)
    await expect(readLegacyLayout(source(stream.subarray(0, 300)))).rejects.toBeInstanceOf(FormatError)
    await expect(readLegacyLayout(source(new Uint8Array()))).rejects.toThrow('the magic number is not there')
  })

  it('is read no further than its header', async () => {
    const reads: number[] = []
    const long = new Uint8Array(1_000_000)
    long.set(stream)
    await readLegacyLayout(source(long, reads))
    expect(reads).toEqual([65_536])
  })
})

describe('a bare storage', () => {
  it('is its elements', () => {
    const storage = readBareStorage(bare)
    expect(storage).toMatchObject({ dtype: 'float32', littleEndian: true })
    expect(Buffer.from(storage.bytes).readFloatLE(0)).toBe(1.5)
  })

  it('that ends early tells both lengths', () => {
    expect(() => readBareStorage(bare.subarray(0, bare.length - 1))).toThrow(
      `torch legacy stream: ends early, ${bare.length - 1} of ${bare.length} bytes`,
    )
  })

  it('whose count is not what its object says is refused', () => {
    const bytes = bare.slice()
    bytes[bytes.length - 12] = 2
    expect(() => readBareStorage(bytes)).toThrow('has 2 elements, where the object says 1')
  })

  it('is nothing else', () => {
    expect(() => readBareStorage(stream)).toThrow('holds no bare storage')
  })
})
