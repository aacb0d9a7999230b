import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runHookProcess } from '../../src/machine/run-hook.js'

it('tells that a command could not be started for what it was to be given', async () => {
  const environment = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`K${index}`, 'x'.repeat(120_000)]))
  const wanted = {
    command: '/bin/sh',
    args: ['-c', ':'],
    folder: { path: '/', identity: null },
    timeout: null,
  } as const
  expect((await runHookProcess({ ...wanted, environment })).reason).toEqual({ kind: 'unstarted', errno: 'E2BIG' })
})

it('runs it in the very folder that was looked at, and nowhere where another one lies there', async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'ckpt-hook-')))
  const path = join(root, 'mine')
  for (const name of ['mine', 'theirs']) {
    mkdirSync(join(root, name))
    writeFileSync(join(root, name, 'tool'), `#!/bin/sh\necho ${name}; pwd\n`, { mode: 0o755 })
  }
  const { dev: device, ino: inode } = statSync(path, { bigint: true })
  const folder = { path, identity: { device, inode } }
  const wanted = { command: './tool', args: [], environment: {}, folder, timeout: null }
  expect(await runHookProcess(wanted)).toEqual({ reason: { kind: 'exited', status: 0 }, output: `mine\n${path}\n` })
  renameSync(path, join(root, 'away'))
  expect((await runHookProcess(wanted)).reason).toEqual({ kind: 'unstarted', errno: 'ENOENT' })
  renameSync(join(root, 'theirs'), path)
  expect((await runHookProcess(wanted)).reason).toEqual({ kind: 'unstarted', errno: 'ESTALE' })
  rmSync(root, { recursive: true })
})
