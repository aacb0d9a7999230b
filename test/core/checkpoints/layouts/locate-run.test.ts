import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isRunOfFolders, locateRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeRun, temporaryDirectory } from '../../changes/disposal/runs.js'

it('a run of folders is told by its first names; what lies in a checkpoint, above a run or nowhere is none', async () => {
  const meta = { 'CKPT.yaml': 'loss: 1\n', 'model.ckpt': 'm' }
  const run = makeRun(['CKPT+a', 'CKPT+b', 'CKPT+c', 'CKPT+d', 'CKPT+e'], meta)
  const isRun = (path: string) => isRunOfFolders(localStorage(), path)
  expect(await isRun(run)).toBe(true)
  expect(await isRun(join(run, 'CKPT+a'))).toBe(false)
  expect(await isRun(join(run, '..'))).toBe(false)
  expect(await isRun(join(run, 'nothing'))).toBe(false)
  const files = join(temporaryDirectory(), 'files')
  mkdirSync(files)
  writeFileSync(join(files, 'epoch=1-step=2.ckpt'), 'x')
  expect(await isRun(files)).toBe(false)
})

it('a folder with no other in it is searched by its names alone', async () => {
  const folder = join(temporaryDirectory(), 'files')
  mkdirSync(folder)
  writeFileSync(join(folder, 'epoch=1-step=2.ckpt'), 'x')
  const plain = localStorage()
  const opened: string[] = []
  const watched = { ...plain, open: (path: string) => (opened.push(path), plain.open(path)) }
  expect(await locateRun(watched, folder)).toBe(folder)
  expect(opened).toEqual([])
})
