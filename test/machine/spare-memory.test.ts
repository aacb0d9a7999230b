import { spawnSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sparing } from '../../src/machine/spare-memory.js'
import { localStorage } from '../../src/core/storage/local.js'
import { temporaryDirectory } from '../core/changes/disposal/runs.js'

const setting = (flag: string) =>
  spawnSync(process.execPath, ['-e', `require('node:v8').setFlagsFromString(${JSON.stringify(flag)})`], {
    encoding: 'utf8',
  }).stderr

it.skipIf(!process.version.startsWith('v20.'))('V8 knows the flags of the starter, without a word on stderr', () => {
  const starter = readFileSync(new URL('../../bin/run.js', import.meta.url), 'utf8')
  const flags = [...starter.matchAll(/(?:flag|usual): '(--[^']+)'/g)].map(([, flag = '']) => flag)
  expect(flags).toHaveLength(4)
  for (const flag of flags) expect(setting(flag)).toBe('')
  expect(setting('--no-such-flag-of-v8')).not.toBe('')
})

it('memory is spared from the first file on that may have very many small values in it', async () => {
  let spared = 0
  const storage = sparing(localStorage(), () => (spared += 1))
  const open = async (size: number): Promise<number> => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    truncateSync(file, size)
    await (await storage.open(file)).close()
    return spared
  }
  expect(await open(1000)).toBe(0)
  expect(await open(1 << 25)).toBe(0)
  expect(await open(1 << 21)).toBe(1)
})
