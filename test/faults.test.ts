/**
 * Prune, prune --trash, restore, trash empty and demote, stopped or failed at each call that changes the file system
 * in turn: each checkpoint under its name is whole, demoted or gone, and the next prune leaves nothing unexplained.
 */
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CkptError } from '../src/core/errors.js'
import { readTrash, stateFolderOf } from '../src/core/changes/state/index.js'
import { localStorage } from '../src/core/storage/local.js'
import {
  changes,
  conditionOf,
  doChange,
  hasItsTime,
  makeSubjects,
  prepare,
  prune,
  stateOf,
  subjects,
  type Change,
} from './changes.js'
import { faultyStorage, Stopped } from './faulty-storage.js'

const plain = localStorage()

/** What a subject may be while the change is under way, and afterwards. */
const outcome = {
  prune: 'gone',
  'prune --trash': 'gone',
  restore: 'whole',
  'trash empty': 'gone',
  demote: 'demoted',
} as const satisfies Record<Change, string>

async function freshRun(change: Change): Promise<string> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-faults-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const run = makeSubjects(folder)
  await prepare(change, plain, run)
  return run
}

async function callsOf(change: Change): Promise<readonly string[]> {
  const run = await freshRun(change)
  const { storage, calls } = faultyStorage(plain)
  expect(await doChange(change, storage, run)).toEqual([])
  for (const name of subjects) expect(await conditionOf(plain, run, name)).toBe(outcome[change])
  expect(await conditionOf(plain, run, 'CKPT+c')).toBe('whole')
  return calls
}

/** Nothing half there now; nothing unexplained after the next prune, which removes nothing. */
async function expectSound(change: Change, run: string, failed: readonly string[] = []): Promise<void> {
  for (const name of readdirSync(run)) expect(name).toMatch(/^CKPT\+[abc]$|^\.[a-z]{16}0$/)
  for (const name of [...subjects, 'CKPT+c']) {
    const condition = await conditionOf(plain, run, name)
    if (name === 'CKPT+c') expect(condition).toBe('whole')
    else expect(['whole', 'gone', outcome[change]]).toContain(condition)
    if (failed.includes(name) && change !== 'trash empty') expect(condition).toBe('whole')
  }
  expect(await prune(plain, run, [])).toEqual([])
  const { entries, unknown, orphans } = await readTrash(plain, await stateFolderOf(plain, run))
  expect([...unknown, ...orphans]).toEqual([])
  for (const { name } of entries) expect(readdirSync(run)).not.toContain(name)
  // In the trash, or under its name, or gone for good where that is what was asked for.
  if (change === 'restore' || change === 'prune --trash') {
    expect([...entries.map(({ name }) => name), ...readdirSync(run)].sort()).toEqual([...subjects, 'CKPT+c'])
  }
  for (const name of readdirSync(run)) {
    expect(name).toMatch(/^CKPT\+[abc]$/)
    if ((await conditionOf(plain, run, name)) !== 'gone') expect(hasItsTime(run, name)).toBe(true)
  }
  const rest = stateOf(run).filter((path) => !/^(trash|demoted)(\/[a-z]{16}0(\.json|\/.*)?)?$/.test(path))
  expect(rest.filter((path) => !path.startsWith('lock'))).toEqual([])
}

describe.each(changes)('%s', (change) => {
  it('stopped at each changing call leaves what is whole, demoted or gone', async () => {
    const { length } = await callsOf(change)
    expect(length).toBeGreaterThan(15)
    for (let failAt = 1; failAt <= length; failAt += 1) {
      const run = await freshRun(change)
      const { storage } = faultyStorage(plain, { failAt, then: 'stops' })
      await expect(doChange(change, storage, run)).rejects.toThrow(Stopped)
      await expectSound(change, run)
    }
  })

  it.each(['ENOSPC', 'EIO', 'EACCES'])('failing with %s at each changing call likewise, and tells', async (errno) => {
    const { length } = await callsOf(change)
    for (let failAt = 1; failAt <= length; failAt += 1) {
      const run = await freshRun(change)
      const { storage } = faultyStorage(plain, { failAt, errno })
      const failed = await doChange(change, storage, run).catch((error: unknown) => {
        expect(error).toBeInstanceOf(CkptError)
        return []
      })
      await expectSound(change, run, failed)
    }
  })
})

describe('what is about to go', () => {
  it('is known, on the medium, before a demotion drops the first file', async () => {
    const calls = (await callsOf('demote')).map((call) => call.replace(/^(\S+) .*\/(save|demoted|CKPT\+.)\//, '$1 $2/'))
    const record = calls.findIndex((call) => call.startsWith('rename') && call.includes('demoted/'))
    const first = calls.findIndex((call) => call.startsWith('unlink CKPT+'))
    expect(record).toBeGreaterThan(0)
    expect(calls.slice(0, record).some((call) => call.startsWith('sync demoted/'))).toBe(true)
    expect(calls.slice(record, first).some((call) => call.startsWith('syncDirectory'))).toBe(true)
  })

  it('has its name on the medium before it moves to the trash', async () => {
    const calls = await callsOf('prune --trash')
    const move = calls.findIndex((call) => /^rename .*\/save\/CKPT\+[ab] -> /.test(call))
    const before = calls.slice(0, move).map((call) => call.split(' ')[0])
    expect(before.slice(-4)).toEqual(['sync', 'close', 'rename', 'syncDirectory'])
  })

  it('has left its name on the medium before its bytes go, also out of the trash', async () => {
    for (const change of ['prune', 'trash empty'] as const) {
      const calls = await callsOf(change)
      const bytes = calls.findIndex((call) => /^unlink .*\/deleting\//.test(call))
      const move = calls.findLastIndex((call, index) => index < bytes && call.startsWith('rename'))
      const synced = calls.slice(move, bytes).filter((call) => call.startsWith('syncDirectory'))
      expect(synced.length).toBeGreaterThanOrEqual(2)
    }
  })
})
