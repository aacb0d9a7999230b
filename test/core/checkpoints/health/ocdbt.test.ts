import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun, measure } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture } from '../layouts/folders.js'

const data = 'state/d/ed3cf22048c44e08696f3687f5e3cc39'

async function findingsAfter(change: (checkpoint: string) => void): Promise<string[]> {
  const root = copyFixture('frameworks/orbax/run')
  change(join(root, '500'))
  const run = await loadRun(localStorage(), root)
  const all = await measure(localStorage(), run.checkpoints)
  const checked = await checkHealth(localStorage(), all, all, 'quick')
  return checked.flatMap(({ name, health }) =>
    health.findings.map(({ grade, file, reason }) => `${name} ${grade} ${file ?? ''}: ${reason}`),
  )
}

describe('a checkpoint of Orbax', () => {
  it('is whole as it was written', async () => {
    expect(await findingsAfter(() => undefined)).toEqual([])
  })

  it('is corrupt where a data file ends before what its manifest leads to', async () => {
    const [finding] = await findingsAfter((path) => {
      truncateSync(join(path, data), 470)
    })
    expect(finding).toBe(`500 corrupt ${data}: ends early: 470 of at least 940 bytes, as state/manifest.ocdbt says`)
  })

  it('is partial where that file is not there', async () => {
    const findings = await findingsAfter((path) => {
      rmSync(join(path, data))
    })
    expect(findings.join('\n')).toContain(`500 partial ${data}: not there, though state/manifest.ocdbt leads to it`)
  })

  it('is corrupt where the manifest was cut', async () => {
    const findings = await findingsAfter((path) => {
      truncateSync(join(path, 'state/manifest.ocdbt'), 60)
    })
    expect(findings.join('\n')).toContain('500 corrupt state/manifest.ocdbt: ends early: 60 of 113 bytes of a manifest')
  })
})
