import { appendFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readJournal, removalsAndCutOff, removalsIn } from '../../../../src/core/changes/journal/index.js'
import { stateFolderOf, writeDemotion } from '../../../../src/core/changes/state/index.js'
import { carryOut, intentOf, openRun, planPrune } from '../../../../src/core/runs/index.js'
import { recordRemovals } from '../../../../src/core/runs/pruning/record-removals.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeRun } from '../../changes/disposal/runs.js'
import { owner } from '../../changes/state/machine.js'
import { movingBy } from '../../../faulty-storage.js'

const storage = localStorage()
const by = { self: owner(), policy: '--keep 1' }

it('what leaves the trash has the metrics that it had when it went there', async () => {
  const path = makeRun(['CKPT+a', 'CKPT+b'])
  const { checkpoints } = await openRun(storage, path)
  const state = await stateFolderOf(storage, path)
  const reasons = new Map([['CKPT+a', 'not the newest']])
  await recordRemovals(storage, state, by, { what: 'trashed', checkpoints, reasons, now: 1_700_000_000 })
  const emptied = [{ name: 'CKPT+a' }, { name: 'CKPT+before-there-was-a-journal' }]
  await recordRemovals(storage, state, by, { what: 'emptied', checkpoints: emptied, reasons, now: 1_700_000_001 })
  const entries = removalsIn((await readJournal(storage, state)).entries)
  const trashed = entries.find(({ name }) => name === 'CKPT+a')
  expect(trashed?.metrics.size).toBeGreaterThan(0)
  expect(entries.slice(2)).toMatchObject([
    { what: 'emptied', name: 'CKPT+a', reason: 'not the newest', metrics: trashed?.metrics },
    { what: 'emptied', name: 'CKPT+before-there-was-a-journal', epoch: null, step: null, metrics: new Map() },
  ])
})

it('a journal of which the last line is cut is gone on with, and is not read for what says all of itself', async () => {
  const path = makeRun(['CKPT+a'])
  const { checkpoints } = await openRun(storage, path)
  const state = await stateFolderOf(storage, path)
  const gone = { what: 'removed', checkpoints, reasons: new Map<string, string>(), now: 1_700_000_000 } as const
  await recordRemovals(storage, state, by, gone)
  appendFileSync(join(state.path, 'journal.jsonl'), '{"what":"remo')
  const whole: string[] = []
  const read: typeof storage.read = (paths, limit) => (whole.push(...paths), storage.read(paths, limit))
  await recordRemovals({ ...storage, read }, state, by, { ...gone, now: 1_700_000_001 })
  expect(whole.filter((one) => one.endsWith('journal.jsonl'))).toEqual([])
  const { entries, unreadable } = await readJournal(storage, state)
  expect([entries.map(({ time }) => time), unreadable]).toEqual([[1_700_000_000, 1_700_000_001], 1])
})

it('nothing that went makes no journal', async () => {
  const path = makeRun(['CKPT+a'])
  const state = await stateFolderOf(storage, path)
  await recordRemovals(storage, state, by, { what: 'removed', checkpoints: [], reasons: new Map(), now: 0 })
  expect(existsSync(join(state.path, 'journal.jsonl'))).toBe(false)
})

describe('a prune that is killed', () => {
  const context = {
    now: 1_700_000_000,
    wait: async () => undefined,
    utcOffset: () => 0,
    copyTime: async () => true,
  }

  /** What the journal tells after a prune that keeps the newest of three, each leaving its name by `move`. */
  async function told(move: typeof storage.move) {
    const path = makeRun(['CKPT+a', 'CKPT+b', 'CKPT+c'])
    const run = await openRun(storage, path)
    const { going } = intentOf(await planPrune(storage, run, { query: { orders: [], where: [] }, keep: 1 }, context))
    const pruned = carryOut(movingBy(storage, move), run, going, { ...context, by, trash: false })
    await pruned.catch((error: unknown) => expect(String(error)).toContain('killed'))
    const { entries } = await readJournal(storage, await stateFolderOf(storage, path))
    return removalsAndCutOff(entries).map(({ what, name, policy, metrics }) => ({ what, name, policy, metrics }))
  }

  it('has written what goes, by which policy and with which metrics', async () => {
    const entries = await told(() => Promise.reject(new Error('killed')))
    expect(entries.map(({ what, name, policy }) => [what, name, policy])).toEqual([
      ['removing', 'CKPT+b', '--keep 1'],
      ['removing', 'CKPT+a', '--keep 1'],
    ])
    expect(entries[0]?.metrics.size).toBeGreaterThan(0)
  })

  it('says no more of it once it is told what became of it', async () => {
    expect((await told((...how) => storage.move(...how))).map(({ what, name }) => [what, name])).toEqual([
      ['removed', 'CKPT+b'],
      ['removed', 'CKPT+a'],
    ])
  })
})

describe('a demotion that is killed', () => {
  it('is written down once by whoever brings it to its end', async () => {
    const files = { 'CKPT.yaml': 'loss: 1\n', 'model.ckpt': 'm' }
    const path = makeRun(['CKPT+a', 'CKPT+b'], files)
    const state = await stateFolderOf(storage, path)
    const dropped = [{ name: 'optimizer.ckpt', key: 'optimizer', inode: '1', size: 1, modified: 1 }]
    await writeDemotion(storage, state, { name: 'CKPT+a', time: 5, modified: 1, dropped, finished: false })
    const options = { now: 9, wait: async () => undefined, by, trash: false }
    const nothing = { checkpoints: [], fingerprints: new Map(), stays: [], reasons: new Map() }
    const prune = async () => carryOut(storage, await openRun(storage, path), nothing, options)
    expect((await prune()).finished.count).toBe(1)
    expect((await prune()).finished.count).toBe(0)
    const entries = removalsIn((await readJournal(storage, state)).entries)
    expect(entries).toMatchObject([{ what: 'demoted', name: 'CKPT+a', time: 9, metrics: new Map([['loss', 1]]) }])
    expect(entries[0]?.reason).toContain('stopped before it wrote that down')
  })
})
