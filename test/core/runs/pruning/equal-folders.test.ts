import { cpSync, mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRun, planPrune } from '../../../../src/core/runs/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { temporaryDirectory } from '../../changes/disposal/runs.js'

const storage = localStorage()
const dawn = 1_700_000_000

/** A run of SpeechBrain's of so many epochs. */
function makeRun(epochs: number): string {
  const run = join(temporaryDirectory(), 'save')
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    const path = join(run, `CKPT+${epoch}`)
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, 'CKPT.yaml'), `epoch: ${epoch}\nunixtime: ${dawn + epoch}.0\n`)
    for (const name of ['model.ckpt', 'optimizer.ckpt']) writeFileSync(join(path, name), `${name} of ${epoch}`)
    writeFileSync(join(path, 'counter.ckpt'), String(epoch))
    touch(path)
  }
  return run
}

function touch(path: string): void {
  for (const name of ['CKPT.yaml', 'model.ckpt', 'optimizer.ckpt', 'counter.ckpt', ''])
    utimesSync(join(path, name), dawn, dawn)
}

/** As `cp -rp` does. */
function copy(run: string, from: string, to: string): string {
  const path = join(run, to)
  cpSync(join(run, from), path, { recursive: true, preserveTimestamps: true })
  return path
}

/** Who goes with `--keep`. */
async function goesOf(run: string, keep: number): Promise<string[]> {
  const opened = await openRun(storage, run)
  const context = { now: dawn + 86_400, wait: async () => undefined, utcOffset: () => 0 }
  const { remove } = await planPrune(storage, opened, { query: { orders: [], where: [] }, keep }, context)
  return remove.map(({ checkpoint }) => checkpoint.name).sort()
}

describe('a folder that was copied by hand', () => {
  it('takes no place beside its original, of which it is another name', async () => {
    const run = makeRun(4)
    copy(run, 'CKPT+4', 'CKPT+4-mine')
    copy(run, 'CKPT+1', 'CKPT+1-mine')
    expect(await goesOf(run, 2)).toEqual(['CKPT+1', 'CKPT+1-mine', 'CKPT+2'])
  })

  it('is one of its own where a byte was changed, a file cut or another one added', async () => {
    for (const change of [
      (path: string) => writeFileSync(join(path, 'model.ckpt'), 'model.ckpt of 5'),
      (path: string) => truncateSync(join(path, 'model.ckpt'), 3),
      (path: string) => writeFileSync(join(path, 'notes.txt'), 'mine'),
    ]) {
      const run = makeRun(4)
      change(copy(run, 'CKPT+4', 'CKPT+4-mine'))
      touch(join(run, 'CKPT+4-mine'))
      expect(await goesOf(run, 2)).toEqual(['CKPT+1', 'CKPT+2', 'CKPT+3'])
    }
  })
})
