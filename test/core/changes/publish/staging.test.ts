/** What a killed `save` or `recover --into` was building, and who takes it away. */
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { carryOut, emptyAndFinish, openRun } from '../../../../src/core/runs/index.js'
import { stateFolderOf } from '../../../../src/core/changes/state/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeSubjects } from '../../../changes.js'
import { filesBelow, temporaryDirectory } from '../disposal/runs.js'

const storage = localStorage()
const wait = () => Promise.resolve()
const twoHours = 7200
let run: string
let staging: string

beforeEach(() => {
  run = makeSubjects(temporaryDirectory())
  staging = join(dirname(run), '.ckpt/save/staging')
})

/** A box with half a checkpoint of 9000 bytes, written to `age` seconds ago. */
function makeStagingFolder(box: string, age: number): void {
  const half = join(box, 'bcdfghjlmnpqrstv0')
  fs.mkdirSync(half, { recursive: true })
  fs.writeFileSync(join(half, 'model.ckpt'), Buffer.alloc(9000, 1))
  const then = Date.now() / 1000 - age
  for (const path of [join(half, 'model.ckpt'), half, box]) fs.utimesSync(path, then, then)
}

const finishers = {
  prune: async () => {
    const going = { checkpoints: [], stays: [], fingerprints: new Map(), reasons: new Map<string, string>() }
    return carryOut(storage, await openRun(storage, run), going, { wait, now: 0, trash: false })
  },
  'trash empty': async () => emptyAndFinish(storage, run, await stateFolderOf(storage, run), [], { wait }),
}

describe.each(Object.entries(finishers))('%s', (_, finish) => {
  it('takes away what nobody has written to for an hour, and tells what that freed', async () => {
    makeStagingFolder(join(staging, 'bcdfghjlmnpqrstv00'), twoHours)
    makeStagingFolder(join(run, '.vbcdfghjlmnpqrst00'), twoHours)
    const before = filesBelow(run)
    const { finished, leftovers } = await finish()
    expect(leftovers).toEqual([])
    expect(finished.count).toBe(2)
    expect(finished.freedBytes).toBeGreaterThanOrEqual(18_000)
    expect(fs.existsSync(join(dirname(run), '.ckpt'))).toBe(false)
    expect(fs.readdirSync(run)).toEqual(['CKPT+a', 'CKPT+b', 'CKPT+c'])
    for (const [path, content] of Object.entries(filesBelow(run))) expect(content).toEqual(before[path])
  })

  it('leaves alone what a saver may still be building, and what only looks like it', async () => {
    makeStagingFolder(join(staging, 'bcdfghjlmnpqrstv00'), 60)
    makeStagingFolder(join(run, 'bcdfghjlmnpqrstv00'), twoHours)
    fs.writeFileSync(join(run, '.bcdfghjlmnpqrstv00'), 'a file')
    const before = filesBelow(dirname(run))
    expect((await finish()).finished.count).toBe(0)
    expect(filesBelow(dirname(run))).toEqual(before)
  })
})
