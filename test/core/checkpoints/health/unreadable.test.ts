import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { planPrune, type PruneRequest } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { Storage } from '../../../../src/core/storage/storage.js'
import { refusingStorage } from '../../../refusing-storage.js'
import { makeZip } from '../../formats/archives/zip-bytes.js'
import { copyFixture, makeFolder, write } from '../layouts/folders.js'

const local = localStorage()
const model = makeZip([{ name: 'm/data.pkl', data: Buffer.alloc(200, 3) }], { zip64: true })
const errors = ['EACCES', 'EPERM', 'EIO', 'ESTALE', 'ETIMEDOUT', 'ENOKEY', 'EHOSTDOWN']

function refusing(errno: string, isRefused: (path: string) => boolean): Storage {
  return refusingStorage(local, errno, isRefused)
}

function makeRun(): string {
  const root = makeFolder()
  for (const number of [1, 2, 3]) {
    write(root, { [`CKPT+${number}/CKPT.yaml`]: `unixtime: ${number}.0\n`, [`CKPT+${number}/model.ckpt`]: model })
  }
  return root
}

async function gradesIn(storage: Storage, root: string, level: 'quick' | 'deep' = 'quick') {
  const { checkpoints } = await loadRun(storage, root)
  const graded = await checkHealth(storage, checkpoints, checkpoints, level)
  return graded.map(({ health }) => health.grade)
}

async function removedBy(storage: Storage, root: string, request: Partial<PruneRequest>): Promise<string[]> {
  const context = { now: 1e9, wait: async () => undefined, utcOffset: () => 0 }
  const asked = { query: { orders: [], where: [] }, ...request }
  const plan = await planPrune(storage, await loadRun(storage, root), asked, context)
  return plan.remove.map(({ checkpoint }) => checkpoint.name)
}

describe('a checkpoint that the system refuses to read', () => {
  it.each(errors)('is unreadable and not corrupt: %s', async (errno) => {
    const root = makeRun()
    for (const level of ['quick', 'deep'] as const) {
      const model = refusing(errno, (path) => path.endsWith('CKPT+2/model.ckpt'))
      expect(await gradesIn(model, root, level)).toEqual(['whole', 'unreadable', 'whole'])
    }
    const meta = refusing(errno, (path) => path.endsWith('CKPT+3/CKPT.yaml'))
    expect(await gradesIn(meta, root)).toEqual(['whole', 'whole', 'unreadable'])
    const folder = refusing(errno, (path) => basename(path) === 'CKPT+1')
    expect(await gradesIn(folder, root)).toEqual(['unreadable', 'whole', 'whole'])
  })

  it('is so in every layout, by its state, its index or its only file', async () => {
    const trainer = copyFixture('frameworks/hf_trainer/run')
    const state = refusing('EACCES', (path) => path.endsWith('checkpoint-30/trainer_state.json'))
    expect((await gradesIn(state, trainer)).at(-1)).toBe('unreadable')
    const lightning = copyFixture('frameworks/lightning/run')
    const { checkpoints } = await loadRun(local, lightning)
    const first = checkpoints[0]?.path ?? ''
    const one = await loadRun(
      refusing('ESTALE', (path) => path === first),
      lightning,
    )
    expect(one.checkpoints.find(({ path }) => path === first)?.health).toMatchObject({
      grade: 'unreadable',
      findings: [{ reason: 'ESTALE' }],
    })
  })

  it('takes no place of those to keep, and no flag removes it', async () => {
    const root = makeRun()
    const newest = refusing('EACCES', (path) => path.endsWith('CKPT+3/model.ckpt'))
    expect(await removedBy(newest, root, { keep: 1 })).toEqual(['CKPT+1'])
    const oldest = refusing('EIO', (path) => path.endsWith('CKPT+1/model.ckpt'))
    for (const verify of ['none', 'quick', 'deep'] as const) {
      const all = { keep: 0, protect: false, allowEmpty: true, removeDamaged: true, verify }
      expect(await removedBy(oldest, root, all)).toEqual(['CKPT+3', 'CKPT+2'])
    }
  })

  it('is what it is also where more is wrong with it: what is missing may lie in what cannot be read', async () => {
    const root = makeRun()
    write(root, { 'CKPT+2/model.ckpt': model.subarray(0, 100), 'CKPT+2/lm.ckpt': model })
    const storage = refusing('EACCES', (path) => path.endsWith('CKPT+2/lm.ckpt'))
    expect(await gradesIn(storage, root)).toEqual(['whole', 'unreadable', 'whole'])
    expect(await removedBy(storage, root, { keep: 3, removeDamaged: true })).toEqual([])
  })

  it('is not an excuse for what is not a file at all: a folder or a pipe in its place is damage', async () => {
    const root = makeRun()
    const storage = refusing('EISDIR', (path) => path === join(root, 'CKPT+2/model.ckpt'))
    expect(await gradesIn(storage, root)).toEqual(['whole', 'corrupt', 'whole'])
  })
})
