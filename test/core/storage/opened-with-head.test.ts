import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sourceOf } from '../../../src/core/storage/file-source.js'
import { localStorage } from '../../../src/core/storage/local.js'

let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-head-'))
  writeFileSync(join(root, 'file'), '0123456789')
  writeFileSync(join(root, 'empty'), '')
})
afterAll(() => {
  rmSync(root, { recursive: true })
})

describe('a file that is opened with its first bytes', () => {
  it.each([
    ['file', undefined, undefined],
    ['file', 4, '0123'],
    ['file', 10, '0123456789'],
    ['file', 512, '0123456789'],
    ['empty', 512, undefined],
  ])('%s with %s of them has %s', async (name, head, found) => {
    const handle = await localStorage().open(join(root, name), head)
    try {
      expect(handle.head === undefined ? undefined : Buffer.from(handle.head).toString()).toBe(found)
    } finally {
      await handle.close()
    }
  })

  it('gives every part as one that is opened without', async () => {
    const [plain, headed] = [
      await localStorage().open(join(root, 'file')),
      await localStorage().open(join(root, 'file'), 4),
    ]
    try {
      for (const [offset, length] of [
        [0, 4],
        [1, 2],
        [0, 5],
        [3, 4],
        [8, 10],
        [4, 0],
        [20, 3],
      ] as const) {
        const parts = await Promise.all([plain, headed].map((handle) => sourceOf(handle).read(offset, length)))
        expect(Buffer.from(parts[1] ?? [])).toEqual(Buffer.from(parts[0] ?? []))
      }
    } finally {
      await plain.close()
      await headed.close()
    }
  })
})
