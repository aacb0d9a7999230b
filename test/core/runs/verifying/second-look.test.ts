import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { grade, lookTwice, openRun, verifyRun } from '../../../../src/core/runs/index.js'
import { measure } from '../../../../src/core/checkpoints/layouts/index.js'
import { stateFolderOf } from '../../../../src/core/changes/state/index.js'
import type { Checkpoint, Run } from '../../../../src/core/checkpoint.js'
import { localStorage } from '../../../../src/core/storage/local.js'

const storage = localStorage()
const now = Date.now() / 1000

function makeRun(): string {
  const run = mkdtempSync(join(tmpdir(), 'ckpt-second-look-'))
  for (const name of ['CKPT+a', 'CKPT+b']) {
    mkdirSync(join(run, name))
    writeFileSync(join(run, name, 'CKPT.yaml'), `unixtime: ${now}\n`)
    writeFileSync(join(run, name, 'model.ckpt'), 'x')
  }
  writeFileSync(join(run, 'CKPT+b', 'model.ckpt'), '')
  return run
}

/** What `meanwhile` does lies between the two looks. */
async function look(path: string, meanwhile: () => void, held: readonly string[] = []) {
  const run = await openRun(storage, path)
  const regrade = (there: Run, these: readonly Checkpoint[]) => grade(storage, there.checkpoints, these, 'quick')
  const graded = await regrade(run, await measure(storage, run.checkpoints))
  const wait = async () => meanwhile()
  const writers = { holding: () => new Set(held) }
  const { checkpoints, writing } = await lookTwice(storage, run, graded, regrade, { now, wait, writers })
  return { grades: checkpoints.map(({ name, health }) => `${name} ${health.grade}`).sort(), writing: writing.size }
}

describe('a second look at what seems damaged', () => {
  it('finds it whole when it was only being written', async () => {
    const run = makeRun()
    const seen = await look(run, () => writeFileSync(join(run, 'CKPT+b', 'model.ckpt'), 'x'))
    expect(seen).toEqual({ grades: ['CKPT+a whole', 'CKPT+b unfinished'], writing: 1 })
  })

  it('leaves out what was removed meanwhile', async () => {
    const run = makeRun()
    const seen = await look(run, () => rmSync(join(run, 'CKPT+b'), { recursive: true }))
    expect(seen.grades).toEqual(['CKPT+a whole'])
  })

  it('finds damage that stays, and does not wait where all has been quiet for an hour', async () => {
    const run = makeRun()
    expect((await look(run, () => undefined)).grades).toEqual(['CKPT+a whole', 'CKPT+b corrupt'])
    for (const file of ['CKPT.yaml', 'model.ckpt', '']) utimesSync(join(run, 'CKPT+b', file), now - 9999, now - 9999)
    const quiet = await look(run, () => {
      throw new Error('waited')
    })
    expect(quiet.grades).toEqual(['CKPT+a whole', 'CKPT+b corrupt'])
  })

  it('takes what a process has open for being written, however long that process stalls', async () => {
    const run = makeRun()
    const seen = await look(run, () => undefined, [join(run, 'CKPT+b')])
    expect(seen).toEqual({ grades: ['CKPT+a whole', 'CKPT+b unfinished'], writing: 1 })
  })
})

describe('a second look at what saves seem to have left', () => {
  /** What `meanwhile` does lies between the two looks. */
  async function leftIn(path: string, meanwhile: () => void): Promise<string[]> {
    const run = await openRun(storage, path)
    const state = await stateFolderOf(storage, path, undefined)
    const wait = async () => meanwhile()
    const request = { which: null, level: 'quick', state, again: { now, wait } } as const
    return (await verifyRun(storage, run, request)).leftovers.map(({ name }) => name)
  }

  function makeWhole(): string {
    const run = makeRun()
    rmSync(join(run, 'CKPT+b'), { recursive: true })
    mkdirSync(join(run, 'CKPT+c'))
    return run
  }

  it('finds what is there in earnest', async () => {
    expect(await leftIn(makeWhole(), () => undefined)).toEqual(['CKPT+c'])
  })

  it('leaves out a folder that was just being filled, or emptied', async () => {
    const filled = makeWhole()
    expect(await leftIn(filled, () => writeFileSync(join(filled, 'CKPT+c/CKPT.yaml'), 'unixtime: 1.0\n'))).toEqual([])
    const half = makeWhole()
    expect(await leftIn(half, () => writeFileSync(join(half, 'CKPT+c/model.ckpt'), 'x'))).toEqual([])
    const emptied = makeWhole()
    expect(await leftIn(emptied, () => rmSync(join(emptied, 'CKPT+c'), { recursive: true }))).toEqual([])
  })
})
