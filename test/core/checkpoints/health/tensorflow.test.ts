import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder } from '../layouts/folders.js'

describe("a byte that changed in TensorFlow's data", () => {
  it('is found by its checksum where every byte is read, and the others are whole', async () => {
    const storage = localStorage()
    const run = join(makeFolder(), 'run')
    cpSync(join(fixtures, 'frameworks', 'tf_checkpoint', 'run'), run, { recursive: true })
    const path = join(run, 'ckpt-5.data-00000-of-00001')
    const bytes = readFileSync(path)
    // Behind the tensors lies the graph of the objects.
    const at = 100
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    writeFileSync(path, bytes)
    const { checkpoints } = await loadRun(storage, run)
    const graded = await checkHealth(storage, checkpoints, checkpoints, 'deep')
    const bad = graded.filter(({ health }) => health.grade !== 'whole')
    expect(bad.map(({ name, health }) => [name, health.grade])).toEqual([['ckpt-5', 'corrupt']])
    expect(bad[0]?.health.findings[0]?.reason).toMatch(/has the checksum [0-9a-f]{8}, and the index says [0-9a-f]{8}/)
  })
})
