import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ScanTree } from '../../../../src/core/checkpoints/layouts/index.js'
import { openRun, planPrune } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'

const kinds = ['list', 'stat', 'lstat', 'read', 'open'] as const

/** The most often that each kind of call was made for one path in the run's folder. */
function counting(storage: Storage, run: string) {
  const counts = new Map(kinds.map((kind) => [kind, new Map<string, number>()]))
  const count = (kind: (typeof kinds)[number], paths: readonly string[]): void => {
    const known = counts.get(kind)
    for (const path of paths) if (path.startsWith(`${run}/`)) known?.set(path, (known.get(path) ?? 0) + 1)
  }
  const counted: Storage = {
    ...storage,
    list: (paths) => (count('list', paths), storage.list(paths)),
    stat: (paths) => (count('stat', paths), storage.stat(paths)),
    lstat: (paths) => (count('lstat', paths), storage.lstat(paths)),
    read: (paths, limit) => (count('read', paths), storage.read(paths, limit)),
    open: (path) => (count('open', [path]), storage.open(path)),
  }
  const most = () => Object.fromEntries(kinds.map((kind) => [kind, Math.max(0, ...(counts.get(kind)?.values() ?? []))]))
  return { counted, most }
}

it.each(['none', 'quick'] as const)('a plan lists, reads and looks at each file once (--verify %s)', async (verify) => {
  const folder = mkdtempSync(join(tmpdir(), 'ckpt-counts-'))
  try {
    const run = join(folder, 'save')
    for (let index = 0; index < 8; index += 1) {
      const path = join(run, `CKPT+${index}`)
      mkdirSync(path, { recursive: true })
      writeFileSync(join(path, 'CKPT.yaml'), `loss: ${index}.5\nunixtime: ${1_700_000_000 + index}.0\n`)
      writeFileSync(join(path, 'model.ckpt'), 'weights')
      for (const name of ['CKPT.yaml', 'model.ckpt']) utimesSync(join(path, name), 1_700_000_000, 1_700_000_000)
    }
    const { counted, most } = counting(localStorage(), run)
    const tree = ScanTree.over(counted)
    const opened = await openRun(tree, run)
    const context = { now: 1_800_000_000, wait: () => Promise.resolve(), utcOffset: () => 0 }
    const query = { orders: [], where: [] }
    const { remove } = await planPrune(tree, opened, { query, keep: 2, verify }, context)
    expect(remove).toHaveLength(6)
    expect(most()).toEqual({ list: 1, stat: 0, lstat: 1, read: 1, open: verify === 'none' ? 0 : 1 })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
