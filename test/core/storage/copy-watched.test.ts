import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { copyWatched } from '../../../src/core/storage/copy-watched.js'
import { localStorage } from '../../../src/core/storage/local.js'
import { temporaryDirectory } from '../changes/disposal/runs.js'

const size = 80 << 20

describe('copyWatched', () => {
  it('tells how many bytes are there while the system copies', async () => {
    const folder = temporaryDirectory()
    const [from, to] = [join(folder, 'from'), join(folder, 'to')]
    writeFileSync(from, 'weights')
    truncateSync(from, size)
    const told: number[] = []
    let finish = (): void => undefined
    const seen = new Promise<void>((resolve) => {
      finish = resolve
    })
    const slow = {
      ...localStorage(),
      copyFile: async () => {
        writeFileSync(to, '')
        truncateSync(to, size / 2)
        await seen
        copyFileSync(from, to)
      },
    }
    const onBytes = (count: number): void => {
      told.push(count)
      finish()
    }
    await copyWatched(slow, from, to, size, { wait: () => new Promise(setImmediate), onBytes })
    expect(told[0]).toBe(size / 2)
    expect(readFileSync(to).subarray(0, 7).toString()).toBe('weights')
  })

  it('passes on what the copy fails with', async () => {
    const folder = temporaryDirectory()
    const watch = { wait: () => new Promise<void>(setImmediate), onBytes: () => undefined }
    const copy = copyWatched(localStorage(), join(folder, 'none'), join(folder, 'to'), size, watch)
    await expect(copy).rejects.toMatchObject({ code: 'not-found' })
  })
})
