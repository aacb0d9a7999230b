import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { spareMemory, sparing } from '../../src/machine/spare-memory.js'

const setting = (flag: string) =>
  spawnSync(process.execPath, ['-e', `require('node:v8').setFlagsFromString(${JSON.stringify(flag)})`], {
    encoding: 'utf8',
  }).stderr

describe('sparing memory', () => {
  it.skipIf(!process.version.startsWith('v20.'))('asks V8 for what it knows, without a word on stderr', () => {
    expect(setting(sparing)).toBe('')
    expect(setting('--no-such-flag-of-v8')).not.toBe('')
  })

  it('ends as often as it was begun', async () => {
    const ends = [await spareMemory(), await spareMemory()]
    for (const end of ends) expect(end).not.toThrow()
  })
})
