/** Checkpoints without folders in them go by the names that were seen a moment before. */
import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fingerprint } from '../../../../src/core/changes/disposal/fingerprint.js'
import { removeCheckpoints } from '../../../../src/core/changes/disposal/remove-checkpoints.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { FolderHandle, Storage } from '../../../../src/core/storage/storage.js'
import { checkpointAt, makeRun } from './runs.js'

const storage = localStorage()
const files = { 'CKPT.yaml': 'loss: 1\n', 'model.ckpt': 'm'.repeat(5000), 'optimizer.ckpt': 'o'.repeat(300) }

async function remove(run: string, names: readonly string[], through: Storage = storage) {
  const checkpoints = names.map((name) => checkpointAt(run, name))
  const planned = await fingerprint(storage, checkpoints)
  return removeCheckpoints(through, run, checkpoints, { wait: () => Promise.resolve(), planned })
}

/** `change` is called with where each checkpoint lies once it has left its name. */
function onceMoved(change: (at: string) => void): Storage {
  const passage: Storage['passage'] = (from, to) => {
    const way = storage.passage(from, to)
    const move: typeof way.move = async (name, as, expected) => {
      const moved = await way.move(name, as, expected)
      change(join(to, as))
      return moved
    }
    return { move, close: () => way.close() }
  }
  return { ...storage, passage }
}

/** Bytes of the files right in the folder, holes left out. */
function dataIn(folder: string): number {
  const stats = fs.readdirSync(folder).map((name) => fs.lstatSync(join(folder, name)))
  return stats.reduce((sum, { size, blocks }) => sum + Math.min(size, blocks * 512), 0)
}

it('each file goes by one call: no folder is listed and no file looked at again', async () => {
  const run = makeRun(['CKPT+a', 'CKPT+b', 'CKPT+c'], files)
  const calls: string[] = []
  const watched = (handle: FolderHandle): FolderHandle => ({
    path: handle.path,
    way: handle.way,
    stat: handle.stat,
    list: () => (calls.push('list'), handle.list()),
    lstat: (name) => (calls.push('lstat'), handle.lstat(name)),
    open: async (name) => (calls.push('open'), watched(await handle.open(name))),
    unlink: (name) => (calls.push('unlink'), handle.unlink(name)),
    removeDirectory: (name) => (calls.push('removeDirectory'), handle.removeDirectory(name)),
    close: () => handle.close(),
  })
  const openFolder: Storage['openFolder'] = async (path) => watched(await storage.openFolder(path))
  const { removed, failed } = await remove(run, ['CKPT+a', 'CKPT+b'], { ...storage, openFolder })
  expect([removed.length, failed, fs.readdirSync(run)]).toEqual([2, [], ['CKPT+c']])
  const each = ['open', 'unlink', 'unlink', 'unlink', 'removeDirectory']
  expect(calls).toEqual([...each, ...each])
})

it('what came into the folder meanwhile goes with it, and counts', async () => {
  const run = makeRun(['CKPT+a'], files)
  let held = 0
  const late = onceMoved((at) => {
    fs.writeFileSync(join(at, 'late.ckpt'), 'x'.repeat(700))
    held = dataIn(at)
  })
  const result = await remove(run, ['CKPT+a'], late)
  expect(result).toMatchObject({ failed: [], leftovers: [] })
  expect(result.removed).toHaveLength(1)
  expect(result.freedBytes).toBe(held)
  expect(fs.readdirSync(run)).toEqual([])
})

it('what went away meanwhile is as good as removed', async () => {
  const run = makeRun(['CKPT+a'], files)
  let held = 0
  const rotated = onceMoved((at) => {
    fs.unlinkSync(join(at, 'model.ckpt'))
    held = dataIn(at)
  })
  expect(await remove(run, ['CKPT+a'], rotated)).toMatchObject({ failed: [], leftovers: [], freedBytes: held })
  expect(fs.readdirSync(run)).toEqual([])
})

it('a folder in the place of a file was never shown: it stays with all in it, and is told', async () => {
  const run = makeRun(['CKPT+a'], files)
  let precious = ''
  const swapped = onceMoved((at) => {
    fs.unlinkSync(join(at, 'model.ckpt'))
    fs.mkdirSync(join(at, 'model.ckpt'))
    precious = join(at, 'model.ckpt', 'thesis.txt')
    fs.writeFileSync(precious, 'precious')
  })
  const { leftovers } = await remove(run, ['CKPT+a'], swapped)
  expect(leftovers.map(({ path }) => path)).toEqual([join(precious, '..')])
  expect(fs.readFileSync(precious, 'utf8')).toBe('precious')
})

it('a link in the place of a file goes, and what it leads to stays', async () => {
  const run = makeRun(['CKPT+a', 'CKPT+b'], files)
  const other = join(run, 'CKPT+b', 'model.ckpt')
  const linked = onceMoved((at) => {
    fs.unlinkSync(join(at, 'model.ckpt'))
    fs.symlinkSync(other, join(at, 'model.ckpt'))
  })
  const { leftovers, failed } = await remove(run, ['CKPT+a'], linked)
  expect([leftovers, failed, fs.readFileSync(other, 'utf8')]).toEqual([[], [], files['model.ckpt']])
})
