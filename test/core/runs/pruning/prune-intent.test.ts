import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openRun, runAsPlanned } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'

it('a run that is carried out has the checkpoints of its plan, in the order of the run', async () => {
  const root = mkdtempSync(join(tmpdir(), 'ckpt-intent-'))
  try {
    for (const [at, name] of ['a', 'b', 'c'].entries()) {
      mkdirSync(join(root, `CKPT+${name}`))
      writeFileSync(join(root, `CKPT+${name}`, 'CKPT.yaml'), `unixtime: ${at}\n`)
      writeFileSync(join(root, `CKPT+${name}`, 'model.ckpt'), 'x')
    }
    const run = await openRun(localStorage(), root)
    const [a, b, c] = run.checkpoints.map((one) => ({ ...one, size: 1 }))
    if (a === undefined || b === undefined || c === undefined) throw new Error('three were made')
    const planned = runAsPlanned(run, { keep: [{ checkpoint: c }], remove: [{ checkpoint: a }] })
    expect(planned.checkpoints.map(({ name }) => name)).toEqual(run.checkpoints.map(({ name }) => name))
    expect([planned.checkpoints[0] === a, planned.checkpoints[2] === c]).toEqual([true, true])
    expect(planned.checkpoints[1]).toBe(run.checkpoints[1])
  } finally {
    rmSync(root, { recursive: true })
  }
})
