import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { expect, it } from 'vitest'
import {
  findCheckpointAt,
  isRunOfFolders,
  locateRun,
  locateManyRuns,
} from '../../../../src/core/checkpoints/layouts/index.js'
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

/** Three runs of five checkpoints side by side, and the names of the folders that are listed, one by one. */
function threeRuns() {
  const meta = { 'CKPT.yaml': 'loss: 1\n', 'model.ckpt': 'm' }
  const run = makeRun(['CKPT+a', 'CKPT+b', 'CKPT+c', 'CKPT+d', 'CKPT+e'], meta)
  const folder = join(temporaryDirectory(), 'runs')
  const runs = ['one', 'two', 'three'].map((name) => join(folder, name))
  for (const path of runs) cpSync(run, path, { recursive: true })
  const plain = localStorage()
  const listed: string[] = []
  const list = (paths: readonly string[]) => (listed.push(...paths.map((path) => basename(path))), plain.list(paths))
  return { folder, runs, listed, storage: { ...plain, list } }
}

it('of runs side by side each folder is listed once, and of each run the first checkpoint alone', async () => {
  const { folder, runs, listed, storage } = threeRuns()
  const found: string[] = []
  for await (const path of locateManyRuns(storage, folder, { isOver: () => false })) found.push(path)
  expect(found.sort()).toEqual(runs.sort())
  const once = ['one', 'two', 'three']
  for (const name of once) expect(listed.filter((path) => path === name)).toEqual([name])
  expect(listed.filter((name) => name.startsWith('CKPT+'))).toHaveLength(once.length)
})

it('whether a run is a checkpoint is asked without a look into the runs beside it', async () => {
  const { folder, runs, listed, storage } = threeRuns()
  expect(await findCheckpointAt(storage, join(folder, 'two'))).toBe(null)
  expect(listed).not.toContain('one')
  expect(listed).not.toContain('three')
  const found = await findCheckpointAt(storage, join(runs[1] ?? '', 'CKPT+b'))
  expect(found?.run.checkpoints).toHaveLength(5)
})

/** Three hundred folders with a run in each, under `save`; and what a search lists, relative to the folder above. */
async function searched(bounds: { begun?: string; isOver: () => boolean }) {
  const run = makeRun(['CKPT+a', 'CKPT+b'], { 'CKPT.yaml': 'loss: 1\n', 'model.ckpt': 'm' })
  const folder = join(temporaryDirectory(), 'many')
  for (let number = 1; number <= 300; number += 1) {
    mkdirSync(join(folder, `exp-${number}`), { recursive: true })
    cpSync(run, join(folder, `exp-${number}`, 'save'), { recursive: true })
  }
  const plain = localStorage()
  const listed: string[] = []
  const list = (paths: readonly string[]) => (
    listed.push(...paths.map((path) => relative(folder, path))),
    plain.list(paths)
  )
  const found: string[] = []
  for await (const path of locateManyRuns({ ...plain, list }, folder, bounds)) found.push(relative(folder, path))
  return { found, listed }
}

it('however many runs there are, all are found, and where a run lies below one folder it is sought first in the next', async () => {
  const { found, listed } = await searched({ isOver: () => false })
  expect(found).toHaveLength(300)
  expect(found).toContain('exp-1/save')
  expect(listed.filter((path) => /^exp-\d+$/.test(path)).length).toBeLessThan(25)
})

it('names that do not begin as they should are not looked at, and a search that takes too long ends with what it has', async () => {
  const begun = await searched({ begun: 'exp-29', isOver: () => false })
  expect(begun.found).toHaveLength(11)
  expect(begun.listed.filter((path) => !path.startsWith('exp-29'))).toEqual([''])
  let asked = 0
  const some = await searched({ isOver: () => (asked += 1) === 2 })
  expect(some.found).toHaveLength(18)
})
