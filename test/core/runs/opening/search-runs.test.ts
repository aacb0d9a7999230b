import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  arrange,
  DiskUses,
  eachRun,
  examine,
  planPrune,
  readWhole,
  searchRuns,
  totalUse,
  verifyRun,
  type OpenedRuns,
} from '../../../../src/core/runs/index.js'
import { stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-search-'))
  for (const run of ['a', 'b/deep', 'c']) {
    write(`${run}/hyperparams.yaml`, 'lr: 0.1\n')
    for (const epoch of [1, 2, 3]) {
      write(`${run}/save/CKPT+${epoch}/CKPT.yaml`, `unixtime: ${1.7e9 + epoch}\nloss: ${epoch}\n`)
      write(`${run}/save/CKPT+${epoch}/counter.ckpt`, String(epoch))
      write(`${run}/save/CKPT+${epoch}/model.ckpt`, 'weights')
    }
  }
  write('data/set/1.txt', 'x')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(name: string, text: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), text)
}

/** What is done with the runs that were found, and the folders that were listed for all that, each as often as it was. */
async function listedBy(work: (opened: OpenedRuns) => Promise<unknown>, withSettings = false): Promise<string[]> {
  const listed: string[] = []
  const local = localStorage()
  const counting: ReadStorage = { ...local, list: (paths) => (listed.push(...paths), local.list(paths)) }
  await work(await searchRuns(counting, root, {}, (found) => readWhole(found, withSettings)))
  return listed.filter((path) => path.startsWith(root)).sort()
}

const once = (paths: readonly string[]) => [...new Set(paths)].sort()
const query = { orders: [], where: [] }

describe('a search for runs lists each folder once', () => {
  it('for a table of checkpoints (list -r), with hyper-parameters too', async () => {
    const listed = await listedBy(async ({ runs, storage }) => {
      for (const { checkpoints } of runs) {
        const { ordered } = await arrange(storage, checkpoints, query, 1.8e9, ['lr', 'size', 'time'])
        await examine(storage, checkpoints, ordered, 'none')
      }
    }, true)
    expect(listed).toEqual(once(listed))
    expect(listed.length).toBeGreaterThan(9)
  })

  it('for the best that is whole (find -r)', async () => {
    const listed = await listedBy(async ({ runs, storage }) => {
      const all = runs.flatMap(({ checkpoints }) => checkpoints)
      const { ordered } = await arrange(storage, all, query, 1.8e9, ['time'])
      await examine(storage, ordered, ordered.slice(0, 3), 'quick')
    })
    expect(listed).toEqual(once(listed))
  })

  it('for a look into every file (verify -r)', async () => {
    const listed = await listedBy(async ({ runs, storage }) => {
      for (const run of runs) {
        const state = await stateFolderOf(localStorage(), run.path, undefined)
        await verifyRun(storage, run, { which: null, level: 'quick', state })
      }
    })
    expect(listed).toEqual(once(listed))
  })
})

describe('the checkpoints of many runs', () => {
  it('are summed up by what the walk has listed (du)', async () => {
    const listed: string[] = []
    const local = localStorage()
    const counting: ReadStorage = { ...local, list: (paths) => (listed.push(...paths), local.list(paths)) }
    const uses = new DiskUses(counting)
    for await (const { run, storage } of eachRun(counting, root)) await uses.of(run, storage)
    const within = listed.filter((path) => path.startsWith(root)).sort()
    expect(within).toEqual(once(within))
  })

  it('count a file with several names for one run, and for the same one when that is summed up again', async () => {
    linkSync(join(root, 'a/save/CKPT+1/model.ckpt'), join(root, 'c/save/CKPT+1/linked.ckpt'))
    const storage = localStorage()
    const { runs } = await searchRuns(storage, root)
    const uses = new DiskUses(storage)
    const sums: number[] = []
    for (const run of [...runs, ...runs]) sums.push(totalUse(await uses.of(run)))
    expect(sums.slice(3)).toEqual(sums.slice(0, 3))
    expect(sums[0]).toBe(sums[2])
  })

  it('count where they have vanished since the run was read', async () => {
    const storage = localStorage()
    const { runs } = await searchRuns(storage, root)
    const [first] = runs
    if (first === undefined) throw new Error('no run')
    const before = totalUse(await new DiskUses(storage).of(first))
    rmSync(first.checkpoints[0]?.path ?? '', { recursive: true })
    const use = await new DiskUses(storage).of(first)
    expect([use.gone, use.unread]).toEqual([1, []])
    expect(totalUse(use)).toBeLessThan(before)
  })

  it('are planned by what the walk has listed, and nothing is listed again (prune -r)', async () => {
    const listed: string[] = []
    const local = localStorage()
    const counting: ReadStorage = { ...local, list: (paths) => (listed.push(...paths), local.list(paths)) }
    const context = { now: 1.9e9, wait: () => Promise.resolve(), utcOffset: () => 0 }
    for await (const { run, storage } of eachRun(counting, root)) {
      const { remove } = await planPrune(storage, run, { query, keep: 2 }, context)
      expect(remove.map(({ checkpoint }) => checkpoint.name)).toEqual(['CKPT+1'])
    }
    const times = (name: string) => listed.filter((path) => path === join(root, 'a/save', name)).length
    expect([times('CKPT+1'), times('CKPT+2')]).toEqual([1, 1])
  })
})

describe('a search that knows what an earlier one found', () => {
  it('scans no run that is as it was, and looks into no folder that it may pass by', async () => {
    const local = localStorage()
    const [first] = (await searchRuns(local, root)).runs
    if (first === undefined) throw new Error('no run')
    const asked: string[] = []
    const noting = (paths: readonly string[]) => (asked.push(...paths), paths)
    const counting: ReadStorage = {
      ...local,
      list: (paths) => local.list(noting(paths)),
      read: (paths, limit) => local.read(noting(paths), limit),
    }
    const earlier = { runs: new Map([[first.path, first]]), passesBy: (path: string) => path === join(root, 'b') }
    const { runs } = await searchRuns(counting, root, { earlier })
    expect(runs.map(({ path }) => path)).toEqual([join(root, 'a/save'), join(root, 'c/save')])
    expect(runs[0]).toBe(first)
    expect(asked.filter((path) => path.startsWith(join(root, 'a/save/')))).toEqual([])
    expect(asked.filter((path) => path.startsWith(join(root, 'b/')))).toEqual([])
  })
})
