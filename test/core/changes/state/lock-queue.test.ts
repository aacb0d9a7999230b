import { mkdirSync, mkdtempSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LockQueue } from '../../../../src/core/changes/state/lock-queue.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { temporaryDirectory } from '../disposal/runs.js'
import { machine, owner } from './machine.js'

/** A folder in which two wait; gives the path of each one's record. */
function twoWaiting(): { folder: string; own: string; ours: string; theirs: string } {
  const folder = mkdtempSync(join(temporaryDirectory(), 'state-'))
  const [own, other] = ['lock-00000000-0000-4000-8000-000000000002', 'lock-00000000-0000-4000-8000-000000000001']
  const [ours = '', theirs = ''] = [own, other].map((name, index) => {
    mkdirSync(join(folder, name))
    const path = join(folder, name, 'owner.json')
    writeFileSync(path, JSON.stringify({ version: 1, owner: owner({ pid: index + 1 }) }))
    return path
  })
  return { folder, own, ours, theirs }
}

it('one whose record was still being written at the first look, and came after us, does not hold us up', async () => {
  const { folder, own, ours, theirs } = twoWaiting()
  const options = { folder, prefix: 'lock-', own, record: 'owner.json' }
  const queue = new LockQueue(localStorage(), { ...options, processes: machine(owner(), new Map([[2, '100']])) })
  utimesSync(ours, 1000, 1000)
  utimesSync(theirs, 999, 999)
  expect(await queue.ahead()).toMatchObject({ pid: 2 })
  utimesSync(theirs, 1001, 1001)
  expect(await queue.ahead()).toBeNull()
})
