import { chmodSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { findRefused } from '../../../../src/core/checkpoints/health/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'
import { checkpointAt, makeRun } from '../../changes/disposal/runs.js'

/** Of a storage that this user uses, whom the system refuses all that it is asked about. */
function refusingAll(user: number | null) {
  const asked: string[] = []
  const local = localStorage({ custody: { user } })
  const mayRead: ReadStorage['mayRead'] = async (paths) => {
    asked.push(...paths)
    return localStorage().mayRead(paths.map((path) => `${path}-is-not-there`))
  }
  return { storage: { ...local, mayRead }, asked }
}

const me = process.geteuid?.() ?? null

it('the system is asked only of files of which permissions alone do not say that the user may read them', async () => {
  const run = makeRun(['CKPT+a'], { 'CKPT.yaml': '', open: '', 'owners.ckpt': '', 'closed.ckpt': '' })
  const at = (name: string) => join(run, 'CKPT+a', name)
  for (const name of ['CKPT.yaml', 'open']) chmodSync(at(name), 0o644)
  chmodSync(at('owners.ckpt'), 0o600)
  chmodSync(at('closed.ckpt'), 0o000)
  const askedFor = async (user: number | null) => {
    const { storage, asked } = refusingAll(user)
    await findRefused(storage, [checkpointAt(run, 'CKPT+a')])
    return asked.map((path) => basename(path)).sort()
  }
  // A file server may take the superuser for nobody.
  expect(await askedFor(0)).toEqual(['closed.ckpt', 'owners.ckpt'])
  if (me !== null && me !== 0) expect(await askedFor(me)).toEqual(['closed.ckpt'])
  expect(await askedFor(65_000)).toEqual(['CKPT.yaml', 'closed.ckpt', 'open', 'owners.ckpt'])
  expect(await askedFor(null)).toHaveLength(4)
})
