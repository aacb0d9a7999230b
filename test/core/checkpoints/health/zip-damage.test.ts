/** Every byte of a torch zip, flipped. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readSmallEntry, readZip } from '../../../../src/core/formats/archives/zip.js'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'
import { makeFolder, write } from '../layouts/folders.js'

const storage = localStorage()
const parts = [
  { name: 'm/data.pkl', data: Buffer.from(Array.from({ length: 150 }, (_, index) => (index * 7) & 255)) },
  { name: 'm/data/0', data: Buffer.from(Array.from({ length: 400 }, (_, index) => (index * 13) & 255)) },
  { name: 'm/data/1', data: Buffer.alloc(0) },
  { name: 'm/version', data: Buffer.from('3\n') },
]
const sound = makeZip(parts, { zip64: true })
const root = write(makeFolder(), { 'CKPT+1/CKPT.yaml': 'unixtime: 1.0\n', 'CKPT+1/model.ckpt': sound })

async function reasonsFor(bytes: Uint8Array, level: 'quick' | 'deep' = 'deep'): Promise<string[]> {
  writeFileSync(join(root, 'CKPT+1/model.ckpt'), bytes)
  const { checkpoints } = await loadRun(storage, root)
  const graded = await checkHealth(storage, checkpoints, checkpoints, level)
  return graded.flatMap(({ health }) => health.findings.map(({ reason }) => reason))
}

function flipped(at: number, bit: number): Buffer {
  const bytes = Buffer.from(sound)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  return bytes
}

/** First byte of what `needle` begins, counted from 0. */
function places(needle: Buffer): number[] {
  const found: number[] = []
  for (let at = sound.indexOf(needle); at !== -1; at = sound.indexOf(needle, at + 1)) found.push(at)
  return found
}

const data = parts.filter((part) => part.data.length > 0).map((part) => [sound.indexOf(part.data), part] as const)

async function contentsOf(bytes: Uint8Array): Promise<Map<string, string>> {
  const source = {
    byteLength: bytes.length,
    read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
  }
  const archive = await readZip(source)
  const contents = new Map<string, string>()
  for (const entry of archive.entries) {
    contents.set(entry.name, Buffer.from(await readSmallEntry(source, archive, entry, 1000)).toString('hex'))
  }
  return contents
}

describe('a torch zip', () => {
  it('is whole before anything is done to it', async () => {
    expect(await reasonsFor(sound)).toEqual([])
  })

  it('with any one bit flipped inside a record is found by deep, which names the record', async () => {
    const inside = data.flatMap(([start, part]) =>
      Array.from({ length: part.data.length }, (_, index) => ({ at: start + index, name: part.name })),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...inside), fc.nat(7), async ({ at, name }, bit) => {
        const [reason] = await reasonsFor(flipped(at, bit))
        expect(reason).toMatch(/CRC-32 0x[0-9a-f]{8}, not 0x[0-9a-f]{8}/)
        expect(reason).toContain(`entry "${name}"`)
      }),
      { numRuns: 300 },
    )
  })

  it('whose local headers lie is found: signature, length of the name, name, length of what follows it', async () => {
    for (const header of places(Buffer.from('504b0304', 'hex')).slice(1)) {
      for (const offset of [0, 1, 2, 3, 26, 27, 30, 33]) {
        expect(await reasonsFor(flipped(header + offset, 1)), `byte ${offset}`).not.toEqual([])
      }
    }
  })

  it('whose central directory lies is found: signature, method, checksum, sizes, lengths, offset, name', async () => {
    for (const header of places(Buffer.from('504b0102', 'hex'))) {
      for (const offset of [0, 3, 10, 16, 19, 20, 24, 28, 30, 42, 46, 48]) {
        expect(await reasonsFor(flipped(header + offset, 1)), `byte ${offset}`).not.toEqual([])
      }
    }
  })

  it('whose end records lie is found by quick: signatures, counts, size and place of the directory', async () => {
    const [end] = places(Buffer.from('504b0506', 'hex'))
    const [end64] = places(Buffer.from('504b0606', 'hex'))
    const fields = [
      ...[0, 1, 2, 3, 4, 6, 8, 10, 12, 16].map((offset) => (end ?? 0) + offset),
      ...[0, 1, 2, 3, 16, 20, 24, 32, 40, 48, 55].map((offset) => (end64 ?? 0) + offset),
    ]
    for (const at of fields) expect(await reasonsFor(flipped(at, 2), 'quick'), `byte ${at}`).not.toEqual([])
  })

  it('with a flip anywhere that deep does not find holds the same entries and the same bytes', async () => {
    const before = await contentsOf(sound)
    let unseen = 0
    // Without its first four bytes it is a torch file to nobody: the other checkpoints tell, and here are none.
    for (let at = 4; at < sound.length; at += 1) {
      const bytes = flipped(at, at % 8)
      if ((await reasonsFor(bytes)).length > 0) continue
      unseen += 1
      expect(await contentsOf(bytes), `byte ${at}`).toEqual(before)
    }
    expect(unseen).toBeGreaterThan(0)
  })

  it('with bytes behind its end record is whole, as torch looks for that backwards', async () => {
    for (const length of [1, 65_535]) expect(await reasonsFor(Buffer.concat([sound, Buffer.alloc(length)]))).toEqual([])
  })

  it('that was cut at any byte after its signature is found by quick', async () => {
    for (let length = 4; length < sound.length; length += 3) {
      expect(await reasonsFor(sound.subarray(0, length), 'quick'), `${length} bytes`).toHaveLength(1)
    }
  })

  it('with several records changed names the first and counts the others', async () => {
    const bytes = Buffer.from(sound)
    for (const [start] of data) bytes[start] = (bytes[start] ?? 0) ^ 255
    expect((await reasonsFor(bytes))[0]).toMatch(/entry "m\/data.pkl".*; so it is with 2 more of its 4 entries$/)
  })

  it('whose checksums were switched off is whole, whatever its bytes', async () => {
    const off = makeZip(parts.map((part) => ({ ...part, crc: 0 })))
    const at = off.indexOf(parts[1]?.data ?? '')
    off[at] = 255
    expect(await reasonsFor(off)).toEqual([])
  })
})
