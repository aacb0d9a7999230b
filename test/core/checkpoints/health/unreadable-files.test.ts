import { chmodSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { isUnreadable } from '../../../../src/core/checkpoint.js'
import { StorageError } from '../../../../src/core/errors.js'
import { findRefused } from '../../../../src/core/checkpoints/health/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import type { ReadStorage } from '../../../../src/core/storage/storage.js'
import { checkpointAt, makeRun } from '../../changes/disposal/runs.js'

/** Of a storage that this user uses, whom the system refuses all that it is asked about. */
function refusingAll(user: number | null, permissionsDecide: boolean) {
  const asked: string[] = []
  const local = localStorage({ custody: { user } })
  const mayRead: ReadStorage['mayRead'] = async (paths) => {
    asked.push(...paths)
    const refusals = paths.map((path) => ({
      ok: false as const,
      error: new StorageError(path, 'EACCES', `${path}: refused`),
    }))
    return Promise.resolve(refusals)
  }
  return { storage: { ...local, mayRead, permissionsDecide: () => permissionsDecide }, asked }
}

const me = process.geteuid?.() ?? null

/** Names of the files that the system is asked about. */
async function askedFor(user: number | null, permissionsDecide: boolean): Promise<string[]> {
  const run = makeRun(['CKPT+a'], { 'CKPT.yaml': '', open: '', 'owners.ckpt': '', 'closed.ckpt': '' })
  const at = (name: string) => join(run, 'CKPT+a', name)
  for (const name of ['CKPT.yaml', 'open']) chmodSync(at(name), 0o644)
  chmodSync(at('owners.ckpt'), 0o600)
  chmodSync(at('closed.ckpt'), 0o000)
  const { storage, asked } = refusingAll(user, permissionsDecide)
  const [found] = await findRefused(storage, [checkpointAt(run, 'CKPT+a')])
  expect(found !== undefined && isUnreadable(found)).toBe(asked.length > 0)
  return asked.map((path) => basename(path)).sort()
}

const all = ['CKPT.yaml', 'closed.ckpt', 'open', 'owners.ckpt']

it('the system is asked only of files whose owner the user is not, or whose owner may not read them', async () => {
  if (me !== null) expect(await askedFor(me, true)).toEqual(['closed.ckpt'])
  // A list beside the permissions may refuse anybody else, though all of them may read.
  expect(await askedFor(65_000, true)).toEqual(all)
  expect(await askedFor(null, true)).toEqual(all)
})

it('where permissions do not decide, as on a server, the system is asked of every file, and what it refuses is unreadable', async () => {
  expect(await askedFor(me, false)).toEqual(all)
})

it('permissions decide on no file system that asks somebody else', () => {
  const storage = localStorage()
  // In memory or by a program, and none that checkpoints lie on.
  expect([storage.permissionsDecide?.('/proc'), storage.permissionsDecide?.('/is/not/there')]).toEqual([false, false])
})
