import { cpSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder } from '../layouts/folders.js'

describe('a msgpack file of flax', () => {
  it('that was cut is damaged, and the others are whole', async () => {
    const storage = localStorage()
    const run = join(makeFolder(), 'run')
    cpSync(join(fixtures, 'frameworks', 'flax_legacy', 'run'), run, { recursive: true })
    const path = join(run, 'checkpoint_500')
    truncateSync(path, Math.floor(statSync(path).size * 0.6))
    const { checkpoints } = await loadRun(storage, run)
    const graded = await checkHealth(storage, checkpoints, checkpoints, 'quick')
    const grades = new Map(graded.map(({ name, health }) => [name, health.grade]))
    expect([...grades].sort()).toEqual([
      ['checkpoint_300', 'whole'],
      ['checkpoint_400', 'whole'],
      ['checkpoint_500', 'corrupt'],
    ])
    const cut = graded.find(({ name }) => name === 'checkpoint_500')
    expect(cut?.health.findings[0]?.reason).toMatch(/^ends early: the msgpack value at byte \d+ goes to byte \d+/)
  })
})
