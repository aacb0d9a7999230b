import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withRunLock } from '../../src/cli/run-lock.js'
import { localStorage } from '../../src/core/storage/local.js'
import { temporaryDirectory } from '../temporary.js'

/** What people are told while a run is worked on under its lock. */
async function toldOf(run: string): Promise<string[]> {
  const told: string[] = []
  const changer = {
    command: 'test',
    note: () => undefined,
    alert: (text: string) => void told.push(text),
    now: () => 0,
  }
  const storage = localStorage()
  expect(await withRunLock(changer, () => storage)(run, { wait: '0s' }, () => Promise.resolve(7))).toBe(7)
  return told
}

describe('the lock of a run', () => {
  it('is missed aloud where the state cannot be written, and not where the folder of the run has vanished', async () => {
    const root = temporaryDirectory()
    mkdirSync(join(root, 'a/save'), { recursive: true })
    writeFileSync(join(root, 'a/.ckpt'), '')
    expect(await toldOf(join(root, 'a/save'))).toEqual([expect.stringMatching(/^no lock on the run/)])
    expect(await toldOf(join(root, 'b/save'))).toEqual([])
  })
})
