import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { saveCheckpoint, toPyMeta, toPyValues } from '../../../../src/core/changes/saving/index.js'
import { examine, isFirstSaveCut, openRun } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { temporaryDirectory } from '../../changes/disposal/runs.js'

const storage = localStorage()

/** True where a kill right after the last byte counts the only checkpoint as a first save cut short. */
async function isCut(run: string): Promise<boolean> {
  const { checkpoints } = await openRun(storage, run)
  const all = await examine(storage, checkpoints, checkpoints, 'quick')
  const [only] = all
  if (only === undefined) throw new Error('there is no checkpoint')
  return isFirstSaveCut(storage, only, all, only.modified)
}

describe('a lone checkpoint with the files of SpeechBrain’s first parameter alone', () => {
  // Neither has the digits of a clock: what counts is who saved it.
  it.each([1764390000, 1764390000.5, 1764390000.123456])('is whole when ckpt saved it, at %s', async (unixtime) => {
    const folder = temporaryDirectory()
    const [run, model] = [join(folder, 'save'), join(folder, 'model.pt')]
    fs.writeFileSync(model, 'weights')
    const meta = toPyMeta(toPyValues({ loss: 1 }), { unixtime, endOfEpoch: true })
    const files = new Map([['model', { kind: 'path' as const, path: model }]])
    await saveCheckpoint(storage, { run, stamp: '2025-11-29+04-20-00', meta, files }, { wait: async () => undefined })

    expect(await isCut(run)).toBe(false)
  })

  it('is a save cut short when SpeechBrain wrote it, whatever digits its time has', async () => {
    const run = join(temporaryDirectory(), 'save')
    const path = join(run, 'CKPT+2025-11-29+04-20-00+00')
    fs.mkdirSync(path, { recursive: true })
    fs.writeFileSync(
      join(path, 'CKPT.yaml'),
      '# yamllint disable\nend-of-epoch: true\nloss: 1\nunixtime: 1764390000.123\n',
    )
    fs.writeFileSync(join(path, 'model.ckpt'), 'weights')

    expect(await isCut(run)).toBe(true)
  })
})
