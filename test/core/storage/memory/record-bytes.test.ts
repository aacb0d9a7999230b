import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFiles, encodeFiles } from '../../../../src/core/storage/memory/record-bytes.js'
import type { RememberedFile } from '../../../../src/core/storage/memory/scan-memory.js'

const file: fc.Arbitrary<RememberedFile> = fc
  .record({
    path: fc.string({ maxLength: 60 }).map((name) => `/exp/${name}`),
    bytes: fc.uint8Array({ maxLength: 300 }),
    position: fc.nat(1000),
    inode: fc.bigInt(0n, (1n << 64n) - 1n),
    modifiedNs: fc.bigInt(-(1n << 62n), 1n << 62n),
    facts: fc.string({ maxLength: 60, unit: 'grapheme' }),
  })
  .map(({ path, bytes, position, inode, modifiedNs, facts }) => ({
    path,
    state: { device: 7n, inode, size: position + bytes.length, modifiedNs, changedNs: modifiedNs + 1n },
    extents: [{ position, bytes }],
    facts,
  }))

const plain = (files: readonly RememberedFile[]) =>
  files.map(({ path, state, extents, facts }) => ({
    path,
    state,
    facts,
    extents: extents.map(({ position, bytes }) => ({ position, bytes: [...bytes] })),
  }))

describe('a record of a scan', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(fc.array(file, { maxLength: 5 }), (files) => {
        expect(plain(decodeFiles(encodeFiles(files, 'me'), 'me'))).toEqual(plain(files))
      }),
    )
  })

  it('with any byte changed, or cut anywhere, gives only what is whole in it', () => {
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 4 }), fc.nat(), fc.nat(255), (files, at, value) => {
        const bytes = encodeFiles(files, 'me')
        const known = new Set(
          plain(files).map((one) => JSON.stringify(one, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v))),
        )
        const changed = bytes.slice()
        changed[at % bytes.length] = value
        for (const record of [changed, bytes.slice(0, at % bytes.length)]) {
          for (const one of plain(decodeFiles(record, 'me'))) {
            expect(known).toContain(JSON.stringify(one, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v)))
          }
        }
      }),
    )
  })

  it('is nothing where it is something else, or of another version', () => {
    expect(decodeFiles(new Uint8Array(0), 'me')).toEqual([])
    expect(decodeFiles(Buffer.from('ckpt scan 1\nwhatever'), 'me')).toEqual([])
    fc.assert(
      fc.property(fc.array(file, { maxLength: 3 }), (files) => {
        expect(decodeFiles(encodeFiles(files, 'me'), 'me too')).toEqual([])
      }),
    )
  })
})
