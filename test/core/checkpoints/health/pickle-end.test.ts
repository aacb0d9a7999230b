/** Plain pickles, as PaddlePaddle writes its parameters: a cut one is told by its end. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from '../layouts/folders.js'

const storage = localStorage()
const real = join(fixtures, 'frameworks', 'paddle', 'run', 'output')

async function reasonsOf(parameters: Uint8Array): Promise<string[]> {
  const run = write(makeFolder(), {
    '0.pdparams': parameters,
    '0.pdopt': readFileSync(join(real, '0.pdopt')),
  })
  const { checkpoints } = await loadRun(storage, run)
  const graded = await checkHealth(storage, checkpoints, checkpoints, 'quick')
  return graded.flatMap(({ health }) => health.findings.map(({ reason }) => reason))
}

describe('a plain pickle', () => {
  const sound = readFileSync(join(real, '0.pdparams'))

  it('that the framework wrote is whole', async () => {
    expect(await reasonsOf(sound)).toEqual([])
  })

  it.each([0.3, 0.6, 0.9])('cut to %s of its length is damaged', async (part) => {
    const cut = sound.subarray(0, Math.floor(sound.length * part))
    expect(await reasonsOf(cut)).toEqual([expect.stringContaining(`a pickle of ${cut.length} bytes`)])
  })
})
