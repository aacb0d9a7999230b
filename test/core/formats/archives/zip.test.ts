import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { CkptError, FormatError } from '../../../../src/core/errors.js'
import {
  checkEntry,
  hasChecksums,
  locateEntry,
  readZip,
  ZipEndMissing,
  type ZipArchive,
} from '../../../../src/core/formats/archives/zip.js'
import { makeZip, type Part, type Shape } from './zip-bytes.js'

const fixture = new URL('../../../fixtures/runs/asr_run/CKPT+2026-11-22+20-46-49+09/model.ckpt', import.meta.url)

function sourceOf(bytes: Uint8Array) {
  let reads = 0
  return {
    byteLength: bytes.length,
    read: async (offset: number, length: number) => {
      reads += 1
      return bytes.subarray(offset, offset + length)
    },
    reads: () => reads,
  }
}

async function checkAll(bytes: Uint8Array): Promise<ZipArchive> {
  const source = sourceOf(bytes)
  const archive = await readZip(source)
  for (const entry of archive.entries) {
    await checkEntry(source, archive, entry, { checksum: hasChecksums(archive) })
  }
  return archive
}

const data = Buffer.from('the quick brown fox '.repeat(50))
const two: readonly [Part, Part] = [
  { name: 'model/data.pkl', data },
  { name: 'model/data/0', data: Buffer.alloc(300, 7) },
]

async function refusal(parts: readonly Part[], shape?: Shape): Promise<string> {
  const error = await checkAll(makeZip(parts, shape)).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(FormatError)
  return (error as FormatError).message
}

describe('readZip', () => {
  it('reads what torch wrote, with a few small reads, and every checksum holds', async () => {
    const bytes = readFileSync(fixture)
    const source = sourceOf(bytes)
    const archive = await readZip(source)
    expect(source.reads()).toBeLessThanOrEqual(4)
    expect(archive.entries.map((entry) => entry.name)).toContain('model/data.pkl')
    await checkAll(bytes)
  })

  it('places an entry by its local header, whose padding the directory does not know', async () => {
    const bytes = makeZip(two)
    const source = sourceOf(bytes)
    const archive = await readZip(source)
    for (const [index, entry] of archive.entries.entries()) {
      const { offset, length } = await locateEntry(source, archive, entry)
      expect(bytes.subarray(offset, offset + length)).toEqual(Buffer.from(two[index]?.data ?? []))
    }
  })

  it('reads zip64 end records and zip64 fields as it reads short ones', async () => {
    const plain = await readZip(sourceOf(makeZip(two)))
    const long = await checkAll(
      makeZip(
        two.map((part) => ({ ...part, zip64: true })),
        { zip64: true },
      ),
    )
    expect(long.entries.map((entry) => [entry.name, entry.size])).toEqual(
      plain.entries.map((entry) => [entry.name, entry.size]),
    )
  })

  it('finds the end record before 100 and before 60,000 trailing bytes, as torch does', async () => {
    for (const length of [100, 60_000]) {
      const archive = await checkAll(makeZip(two, { zip64: true, trailing: new Uint8Array(length) }))
      expect(archive.entries).toHaveLength(2)
    }
  })

  it('says of a cut file how many bytes there are, wherever it was cut', async () => {
    const bytes = makeZip(two, { zip64: true })
    for (let length = 0; length < bytes.length; length += 1) {
      await expect(readZip(sourceOf(bytes.subarray(0, length)))).rejects.toThrow(ZipEndMissing)
    }
    await expect(readZip(sourceOf(bytes.subarray(0, 500)))).rejects.toThrow('no zip end record in its 500 bytes')
  })

  it('refuses a central directory outside of the file, with both numbers', async () => {
    const message = await refusal(two, { directoryOffset: 99_999 })
    expect(message).toMatch(/lies at bytes 99999 to \d+, outside of the \d+ bytes/)
    expect(await refusal(two, { directorySize: 4_000_000_000 })).toMatch(/outside/)
  })

  it('tells that a directory is outside, also where the zip64 record and the short one differ', async () => {
    for (const fromEnd of [22 - 16, 22 + 20 + 56 - 48]) {
      const bytes = makeZip(two, { zip64: true })
      bytes.writeUInt32LE(88_888, bytes.length - fromEnd)
      await expect(readZip(sourceOf(bytes))).rejects.toThrow(/lies at bytes 88888 to \d+, outside of the \d+ bytes/)
    }
  })

  it('refuses a central directory that points to something else', async () => {
    expect(await refusal(two, { directoryOffset: 3 })).toMatch(/at byte 3, begins with 0x[0-9a-f]{8}, not 0x02014b50/)
  })

  it('refuses a count that the directory cannot hold, and one that it does not hold', async () => {
    expect(await refusal(two, { count: 60_000 })).toMatch(/counts 60000 entries.*hold at most \d/)
    expect(await refusal(two, { count: 2 ** 40, zip64: true })).toMatch(/1099511627776/)
    expect(await refusal(two, { count: 1 })).toMatch(/counts 1 entries, and the central directory goes on for 58 bytes/)
  })

  it('takes what a local header says itself where it is the same as in the directory, or nothing', async () => {
    const crc = crc32(data)
    for (const local of [{ flags: 0, crc, size: data.length }, { flags: 0 }, { flags: 0x800, crc, size: 0xffffffff }]) {
      await checkAll(makeZip([{ name: 'a', data, local }]))
    }
  })

  it.each([-1, 1, 4, 8, 12])('refuses a local header whose extra length is wrong by %i bytes', async (by) => {
    const [first, second] = two
    const local = { extraLength: 8 + by }
    const message = /should end at byte \d+, and what tells its checksum does not follow there/
    expect(await refusal([{ ...first, local }, second])).toMatch(message)
    expect(await refusal([first, { ...second, local }])).toMatch(message)
  })

  it('refuses one whose data would reach into what follows, with both bytes', async () => {
    const [first, second] = two
    const local = { flags: 0, extraLength: 8 + 17 }
    expect(await refusal([{ ...first, local }, second])).toMatch(
      /ends at byte (\d+), after the start of the next entry/,
    )
    expect(await refusal([first, { ...second, local }])).toMatch(/after the central directory's start at byte \d+/)
  })

  it('takes descriptors of eight bytes a size, those without a signature, and what lies between two entries', async () => {
    const sum = Buffer.alloc(4)
    sum.writeUInt32LE(crc32(data))
    const mark = Buffer.from('PK\x07\x08', 'latin1')
    for (const behind of [
      Buffer.concat([mark, sum, Buffer.alloc(16)]),
      Buffer.concat([sum, Buffer.alloc(8)]),
      Buffer.concat([mark, sum, Buffer.alloc(108)]),
    ]) {
      await checkAll(makeZip([{ name: 'a', data, behind }, ...two]))
      await checkAll(makeZip([...two, { name: 'a', data, behind }]))
    }
  })

  it('refuses end records that disagree', async () => {
    const bytes = makeZip(two, { zip64: true })
    bytes.writeUInt16LE(1, bytes.length - 22 + 10)
    bytes.writeUInt16LE(1, bytes.length - 22 + 8)
    await expect(readZip(sourceOf(bytes))).rejects.toThrow('disagree on the count of entries: 1, and 2 in zip64')
  })

  it.each([
    ['a name used twice', [two[0], two[0]], /two entries have the name "model\/data.pkl"/],
    ['an encrypted entry', [{ name: 'a', data, flags: 1 }], /"a" is encrypted/],
    ['an unknown method', [{ name: 'a', data, method: 14 }], /method 14/],
    ['a stored entry with two sizes', [{ name: 'a', data, size: 5 }], /two sizes: 1000 and 5/],
    [
      'a size that nothing could unpack to',
      [{ name: 'a', data, deflate: true, size: 2 ** 31 }],
      /cannot hold the 2147483648/,
    ],
    [
      'an entry that reaches into the next',
      [{ ...two[0], size: 1400, compressedSize: 1400 }, two[1]],
      /reaches into entry "model\/data\/0"/,
    ],
    [
      'an entry that reaches into the directory',
      [{ name: 'a', data, size: 1100, compressedSize: 1100 }],
      /reaches into the central directory/,
    ],
    ['an entry beyond the end', [{ name: 'a', data, headerOffset: 4_000_000_000 }], /at byte 4000000000/],
    ['a local header with another name', [{ name: 'a', data, localName: 'b' }], /names "b", the central directory "a"/],
    ['a local header with another method', [{ name: 'a', data, local: { method: 8 } }], /gives the method 8, .* 0$/],
    [
      'a local header with another checksum',
      [{ name: 'a', data, local: { flags: 0, crc: 5, size: 1000 } }],
      /gives the CRC-32 5, the central directory \d+/,
    ],
    [
      'a local header with another size',
      [{ name: 'a', data, local: { flags: 0, crc: crc32(data), size: 7 } }],
      /at byte 0 gives the packed size 7, the central directory 1000/,
    ],
    [
      'a zip64 number beyond 2^53',
      [{ name: 'a', data, zip64: true, size: Number.MAX_SAFE_INTEGER + 1 }],
      /more than any file holds/,
    ],
  ] as [string, Part[], RegExp][])('refuses %s', async (_, parts, message) => {
    expect(await refusal(parts)).toMatch(message)
  })
})

describe('names', () => {
  const names = [
    ...['m/data.pkl', 'm/data/3', 'm/data/1', 'm/data/01', 'm/data/00', 'm/data/0', 'm/data/10', 'm/data/99'],
    ...['m/data/1234567890', 'm/data/-1', 'm/data/', 'm/data/1/2', 'm/other/1', 'm/data1', '7', 'é/1', 'm/data/é'],
  ]
  const parts = names.map((name) => ({ name, data: Buffer.from(name) }))

  it('are found, also those that end in numbers, and no others', async () => {
    const archive = await readZip(sourceOf(makeZip(parts)))
    expect(archive.entries.map(({ name }) => name)).toEqual(names)
    for (const name of names) {
      expect(archive.find(name)).toMatchObject({ name, size: Buffer.byteLength(name) })
      const slash = name.lastIndexOf('/') + 1
      expect(names[archive.numberOf(name.slice(0, slash), name.slice(slash))]).toBe(name)
    }
    for (const name of ['', 'm/data/2', 'm/data/001', 'm/data/1 ', 'm/data/1.0', 'm/data/１', 'é/2', '1', 'data/1']) {
      expect(archive.find(name)).toBeUndefined()
    }
  })

  it('are counted by folder', async () => {
    const archive = await readZip(sourceOf(makeZip(parts)))
    for (const folder of ['m/', 'm/data/', 'm/data/1/', 'é/', 'x/']) {
      expect(archive.countIn(folder)).toBe(names.filter((name) => name.startsWith(folder)).length)
    }
  })

  it.each(names)('are given once: %s', async (name) => {
    const twice = [...parts, { name, data: Buffer.alloc(1) }]
    expect(await refusal(twice)).toBe(`two entries have the name ${JSON.stringify(name)}`)
  })
})

describe('checkEntry', () => {
  it('finds every flipped byte of the data, stored and deflated', async () => {
    const parts: Part[] = [
      { name: 'a', data },
      { name: 'b', data, deflate: true },
    ]
    const bytes = makeZip(parts)
    const source = sourceOf(bytes)
    const archive = await readZip(source)
    for (const entry of archive.entries) {
      const { offset, length } = await locateEntry(source, archive, entry)
      for (let at = offset; at < offset + length; at += 1) {
        bytes[at] = (bytes[at] ?? 0) ^ 0x10
        await expect(checkEntry(source, archive, entry)).rejects.toThrow(FormatError)
        bytes[at] = (bytes[at] ?? 0) ^ 0x10
      }
      await checkEntry(source, archive, entry)
    }
  })

  it('names both checksums and where the entry lies', async () => {
    expect(await refusal([{ name: 'a', data, crc: 1 }])).toMatch(
      /entry "a" \(bytes 39 to 1039\) has the CRC-32 0x[0-9a-f]{8}, not 0x00000001/,
    )
  })

  it('finds deflated bytes that unpack to more or less than was said', async () => {
    expect(await refusal([{ name: 'a', data, deflate: true, size: 999 }])).toMatch(/more than its 999 bytes/)
    expect(await refusal([{ name: 'a', data, deflate: true, size: 1001 }])).toMatch(/unpacks to 1000 bytes, not 1001/)
  })

  it('refuses an archive that unpacks to very much more than it takes, and takes one of many zeros', async () => {
    const zeros = (count: number) => ({ name: `z${count}`, data: Buffer.alloc(count), deflate: true })
    await expect(readZip(sourceOf(makeZip([zeros(90 << 20)])))).rejects.toThrow(
      /its entries unpack to 94371840 bytes, more than 100 times the \d+ that they take/,
    )
    expect((await readZip(sourceOf(makeZip([zeros(60 << 20)])))).count).toBe(1)
  })

  it('tells how far it is, and stops when asked', async () => {
    const source = sourceOf(makeZip([{ name: 'a', data: Buffer.alloc(3 << 20) }]))
    const archive = await readZip(source)
    const [entry] = archive.entries
    if (entry === undefined) throw new Error('no entry')
    let seen = 0
    await checkEntry(source, archive, entry, { onBytes: (count) => (seen += count) })
    expect(seen).toBe(3 << 20)
    const stop = AbortSignal.abort()
    await expect(checkEntry(source, archive, entry, { signal: stop })).rejects.toMatchObject({ code: 'interrupted' })
  })
})

describe('hasChecksums', () => {
  it('takes checksums that are all zero as switched off', async () => {
    const archive = await checkAll(makeZip(two.map((part) => ({ ...part, crc: 0 }))))
    expect(hasChecksums(archive)).toBe(false)
    expect(
      await refusal([
        { ...two[0], name: 'a', data, crc: 0 },
        { name: 'b', data },
      ]),
    ).toMatch(/CRC-32/)
  })
})

describe('any mutated zip', () => {
  it('parses or is refused with a CkptError, and reads nothing outside of the file', async () => {
    const bytes = makeZip([...two, { name: 'c', data, deflate: true, zip64: true }], { zip64: true })
    const change = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(bytes.length), async (changes, cut) => {
        const mutated = Buffer.from(bytes)
        for (const { at, value } of changes) mutated[at] = value
        const kept = cut % 3 === 0 ? mutated.subarray(0, cut) : mutated
        const source = sourceOf(kept)
        const guarded = {
          byteLength: source.byteLength,
          read: async (offset: number, length: number) => {
            if (offset < 0 || length < 0 || offset + length > kept.length) throw new Error(`read ${offset}+${length}`)
            return source.read(offset, length)
          },
        }
        try {
          const archive = await readZip(guarded)
          for (const entry of archive.entries) await checkEntry(guarded, archive, entry)
        } catch (error) {
          if (!(error instanceof CkptError)) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })
})
