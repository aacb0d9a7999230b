import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openRun, verdictOf, verifyRun } from '../../../../src/core/runs/index.js'
import { stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { StorageError } from '../../../../src/core/errors.js'
import { findStrangers } from '../../../../src/core/runs/verifying/strangers.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'

const storage = localStorage()
const weights = new URL('../../../fixtures/parts/timm.pt', import.meta.url).pathname
let run = ''

beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'ckpt-strangers-'))
  for (const name of ['epoch_0.pt', 'epoch_1.pt']) copyFileSync(weights, join(run, name))
})
afterEach(() => {
  rmSync(run, { recursive: true })
})

async function verified() {
  const opened = await openRun(storage, run)
  const state = await stateFolderOf(storage, run, undefined)
  return verifyRun(storage, opened, { which: null, level: 'quick', state })
}

describe('a file that is named as the checkpoints of its run are', () => {
  it.each([
    ['a pointer', 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n', 'a Git LFS pointer'],
    ['a page', '<!DOCTYPE html><html>gone</html>', 'an HTML page'],
    ['zeros', new Uint8Array(4096), 'first 512 bytes are all zero'],
    [
      'noise',
      Uint8Array.from({ length: 4096 }, (_, at) => (at * 167 + 89) % 251),
      'does not begin as any kind of file',
    ],
  ])('and is %s is told, for no list has it', async (_, contents, reason) => {
    writeFileSync(join(run, 'epoch_2.pt'), contents)
    const found = await verified()
    expect(found.checkpoints.map(({ name }) => name).sort()).toEqual(['epoch_0.pt', 'epoch_1.pt'])
    expect(found.leftovers.map(({ name }) => name)).toEqual(['epoch_2.pt'])
    expect(found.leftovers[0]?.reason).toContain(`no checkpoint, though named as one: `)
    expect(found.leftovers[0]?.reason).toContain(reason)
    expect(verdictOf([found])).toBe('damaged')
  })

  it('and cannot be read says nothing of what it is', async () => {
    cpSync(new URL('../../../fixtures/runs/frameworks/lightgbm/run', import.meta.url).pathname, run, {
      recursive: true,
    })
    const path = join(run, 'model.txt.snapshot_iter_99')
    writeFileSync(path, 'text')
    const opened = await openRun(storage, run)
    const denying: ReadStorage = Object.assign(Object.create(storage) as ReadStorage, {
      open: async (one: string) => {
        if (one === path) throw new StorageError(path, 'EACCES', 'permission denied')
        return storage.open(one)
      },
    })
    expect(opened.checkpoints.map(({ name }) => name)).not.toContain('model.txt.snapshot_iter_99')
    expect(await findStrangers(denying, opened)).toEqual([])
  })

  it('and is sound of its own kind is not, nor is what has another name or lies in another folder', async () => {
    mkdirSync(join(run, 'data'))
    const tensor = new URL('../../../fixtures/parts/param.pt', import.meta.url).pathname
    writeFileSync(join(run, 'epoch_2.pt'), readFileSync(tensor))
    writeFileSync(join(run, 'notes_2.pt'), 'text')
    writeFileSync(join(run, 'data', 'epoch_2.pt'), 'text')
    expect((await verified()).leftovers).toEqual([])
  })
})
