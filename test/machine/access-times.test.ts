import { mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { localStorage } from '../../src/core/storage/local.js'
import { noteAccess } from '../../src/machine/access-times.js'
import { notesReads } from '../notes-reads.js'

const folder = mkdtempSync(join(tmpdir(), 'ckpt-access-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0

/** As a program leaves it that has just saved it. */
function saved(): string {
  const path = join(folder, `model-${(count += 1)}.pt`)
  writeFileSync(path, 'weights')
  return path
}

describe.runIf(notesReads(folder))('where the file system notes each read', () => {
  it('tells whether one of the files was read, by whatever program', () => {
    const files = [saved(), saved()] as const
    const wasRead = noteAccess(files)
    expect(wasRead()).toBe(false)
    readFileSync(files[1])
    expect(wasRead()).toBe(true)
  })

  it('tells nothing of one that was read before: the next read may not be noted', () => {
    const files = [saved(), saved()] as const
    readFileSync(files[1])
    utimesSync(files[1], Date.now() / 1000 + 60, Date.now() / 1000)
    expect(noteAccess(files)()).toBeNull()
  })

  it('tells nothing of one in whose place there is another now', () => {
    const file = saved()
    const wasRead = noteAccess([file])
    renameSync(saved(), file)
    expect(wasRead()).toBeNull()
  })

  it('does not count what ckpt reads', async () => {
    const file = saved()
    const wasRead = noteAccess([file])
    const storage = localStorage()
    await storage.read([file], 100)
    const handle = await storage.open(file)
    await handle.read(new Uint8Array(4), 0)
    await handle.close()
    const [sums] = await storage.sweep(async () => [
      { path: file, size: 7, ranges: [{ position: 0, length: 7 }], sha256: false },
    ])
    expect(sums?.ok).toBe(true)
    expect(wasRead()).toBe(false)
  })
})

it('tells nothing of what is not there, nor where nothing notes reads', () => {
  expect(noteAccess([])()).toBeNull()
  expect(noteAccess([join(folder, 'none')])()).toBeNull()
  expect(noteAccess(['/proc/self/status'])()).toBeNull()
})
