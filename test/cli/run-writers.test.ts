/** Who writes to a run, also where the job was started for a folder above it. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writersOf } from '../../src/cli/run-writers.js'
import { jobLock, stateFolderOf, withLock } from '../../src/core/changes/state/index.js'
import { localStorage } from '../../src/core/storage/local.js'
import { lockOptions } from '../changes.js'
import { temporaryDirectory } from '../core/changes/disposal/runs.js'

describe('a job of ckpt run', () => {
  it.each([
    ['exp/save', 'exp/save', true],
    ['exp/save', 'exp', true],
    ['exp/lightning_logs/version_0/checkpoints', 'exp', true],
    ['exp/save', 'other', false],
    ['exp', 'exp/save', false],
  ])('in %s is known where it was started for %s: %s', async (run, job, isKnown) => {
    const root = temporaryDirectory()
    for (const folder of [run, job]) mkdirSync(join(root, folder), { recursive: true })
    const storage = localStorage()
    const state = await stateFolderOf(storage, join(root, job))
    const writers = await withLock(storage, state, { ...lockOptions(), name: jobLock }, () =>
      writersOf(storage, join(root, run), undefined, lockOptions()),
    )
    expect(writers.job !== null).toBe(isKnown)
  })
})
