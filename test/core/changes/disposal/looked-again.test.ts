import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fingerprintOf, type Fingerprint } from '../../../../src/core/changes/disposal/index.js'
import { lookAgain } from '../../../../src/core/changes/disposal/take-away.js'
import { openRun } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'

let root: string
const storage = localStorage()

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ckpt-again-'))
  mkdirSync(join(root, 'run', 'CKPT+a'), { recursive: true })
  writeFileSync(join(root, 'run', 'CKPT+a', 'CKPT.yaml'), 'unixtime: 1\n')
  writeFileSync(join(root, 'run', 'CKPT+a', 'model.ckpt'), 'x')
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

async function look(): Promise<{ then: Fingerprint; again: () => Promise<Fingerprint> }> {
  const [checkpoint] = (await openRun(storage, join(root, 'run'))).checkpoints
  if (checkpoint === undefined) throw new Error('no checkpoint')
  const then = await fingerprintOf(storage, checkpoint.path)
  if (!then.ok) throw then.error
  return { then: then.value, again: () => lookAgain(storage, checkpoint, new Map([[checkpoint.name, then]])) }
}

describe('a checkpoint that is looked at again before it goes', () => {
  it('is known by the look of the plan where nothing differs: that one is in memory anyway', async () => {
    const { then, again } = await look()
    expect(await again()).toBe(then)
  })

  it('is known by the new look where a file has got a second name, which keeps its bytes', async () => {
    const { then, again } = await look()
    linkSync(join(root, 'run', 'CKPT+a', 'model.ckpt'), join(root, 'kept'))
    expect((await again()).get('model.ckpt')?.links).toBe(2)
    expect(then.get('model.ckpt')?.links).toBe(1)
  })
})
