/** What `ReadStorage.sweep` promises: with one thread as the unit tests run, and with the threads of the build. */
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Range, Storage, Sweep, SweepOptions, SweepSums } from '../../../src/core/storage/storage.js'
import { temporaryDirectory } from '../../temporary.js'

function sumsOf(bytes: Buffer, ranges: readonly Range[]): SweepSums {
  return {
    crcs: ranges.map(({ position, length }) => crc32(bytes.subarray(position, position + length))),
    sha256: null,
  }
}

/** Ranges between cuts, every other one left out. */
function rangesFrom(cuts: readonly number[]): Range[] {
  const sorted = cuts.toSorted((a, b) => a - b)
  return sorted
    .map((cut, index) => ({ position: cut, length: (sorted[index + 1] ?? cut) - cut }))
    .filter((_, index) => index % 2 === 0)
}

export function testSweeps(storage: Storage): void {
  const folder = temporaryDirectory()
  const file = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return path
  }
  const sweep = (files: readonly Sweep[], options?: SweepOptions) => storage.sweep(async () => files, options)

  it('gives the CRC-32 of every range, whatever the ranges are', async () => {
    const bytes = randomBytes(600_000)
    const path = file('small', bytes)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
        const ranges = rangesFrom(cuts)
        const [answer] = await sweep([{ path, size: bytes.length, sha256: false, ranges }])
        expect(answer).toEqual({ ok: true, value: sumsOf(bytes, ranges) })
      }),
      { numRuns: 60 },
    )
  })

  it('gives the same in threads, for many files at a time, and tells of every byte', async () => {
    const bytes = Array.from({ length: 5 }, () => randomBytes(20 << 20))
    const ranges = rangesFrom([0, 1 << 10, 1 << 20, 3 << 20, 4 << 20, 20 << 20])
    const sweeps = bytes.map((content, index): Sweep => {
      return { path: file(`large-${index}`, content), size: content.length, sha256: false, ranges }
    })
    let told = 0
    const answers = await sweep(sweeps, { onBytes: (count) => (told += count) })
    expect(answers).toEqual(bytes.map((content) => ({ ok: true, value: sumsOf(content, ranges) })))
    expect(told).toBe(5 * (20 << 20))
  })

  it('gives the same where threads began before the files were known, and tells what went wrong in finding them', async () => {
    const bytes = randomBytes(40 << 20)
    const path = file('early', bytes)
    const ranges = rangesFrom([0, 5, 30 << 20, 40 << 20])
    const find = async (): Promise<Sweep[]> => [{ path, size: bytes.length, sha256: false, ranges }]
    const expected = bytes.length
    expect(await storage.sweep(find, { expected })).toEqual([{ ok: true, value: sumsOf(bytes, ranges) }])
    expect(await storage.sweep(async () => [], { expected })).toEqual([])
    const broken = storage.sweep(() => Promise.reject(new Error('not found')), { expected })
    await expect(broken).rejects.toThrow('not found')
  })

  it('splits a large file, within ranges too, and puts the sums together', async () => {
    const bytes = randomBytes(150 << 20)
    const ends = [0, 3, 64 << 20, (64 << 20) + 1, (64 << 20) + 2, (149 << 20) + 7]
    const ranges = ends.flatMap((end, index) => {
      const position = ends[index - 1] ?? 0
      return [
        { position, length: end - position },
        { position: end, length: 0 },
      ]
    })
    const [answer] = await sweep([{ path: file('huge', bytes), size: bytes.length, sha256: false, ranges }])
    expect(answer).toEqual({ ok: true, value: sumsOf(bytes, ranges) })
  })

  it('gives SHA-256 in the same reading, also of nothing and of what is larger than one part', async () => {
    const contents = [randomBytes(300_000), randomBytes(0), randomBytes((64 << 20) + 5)]
    const sweeps = contents.map((content, index): Sweep => {
      const ranges = content.length === 0 ? [] : [{ position: 1, length: content.length - 2 }]
      return { path: file(`summed-${index}`, content), size: content.length, ranges, sha256: true }
    })
    expect(await sweep(sweeps)).toEqual(
      contents.map((content, index) => ({
        ok: true,
        value: {
          ...sumsOf(content, sweeps[index]?.ranges ?? []),
          sha256: createHash('sha256').update(content).digest('hex'),
        },
      })),
    )
  })

  it('answers per file: one that is gone or too short hides no other', async () => {
    const bytes = randomBytes(1000)
    const path = file('sound', bytes)
    const ask = (of: string, size: number): Sweep => ({ path: of, size, sha256: false, ranges: [] })
    const answers = await sweep([ask(join(folder, 'gone'), 10), ask(path, 2000), ask(path, 1000)])
    expect(answers[0]).toMatchObject({ ok: false, error: { errno: 'ENOENT' } })
    expect(answers[1]).toMatchObject({ ok: false, error: { errno: 'EIO' } })
    expect(answers[1]).toMatchObject({ error: { message: expect.stringContaining('byte 1000 while 2000') as string } })
    expect(answers[2]).toEqual({ ok: true, value: { crcs: [], sha256: null } })
  })

  it('stops when asked, with threads and without', async () => {
    const large = { path: file('stop', randomBytes(40 << 20)), size: 40 << 20, sha256: false, ranges: [] } as const
    const signal = AbortSignal.abort()
    await expect(sweep([large], { signal })).rejects.toMatchObject({ code: 'interrupted' })
    await expect(sweep([{ ...large, size: 10 }], { signal })).rejects.toMatchObject({ code: 'interrupted' })
  })
}
