import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadCheckpoint, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { prepareAverage, previewAverage, saveAverage } from '../../../../src/core/runs/with-tensors/average.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { floats, floatsIn, readTensors, writeTensors } from '../../tensors/transfer/files.js'

const storage = localStorage()
let folder = ''
let run = ''

/** Two checkpoints of a SpeechBrain run: the mean of what they hold is [2, 3]. */
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'ckpt-average-run-'))
  run = join(folder, 'save')
  for (const [index, values] of [
    [1, 2],
    [3, 4],
  ].entries()) {
    const checkpoint = join(run, `CKPT+${index}`)
    fs.mkdirSync(checkpoint, { recursive: true })
    fs.writeFileSync(join(checkpoint, 'CKPT.yaml'), `ACC: 0.${index + 1}\nend-of-epoch: true\nunixtime: ${index}.0\n`)
    writeTensors(join(checkpoint, 'mdl.ckpt'), [floats('w', [2], values)])
  }
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

const prepare = (options = {}) =>
  prepareAverage(
    storage,
    { what: [run], base: folder, query: { orders: [], where: [] }, count: 2, options },
    { now: 100 },
  )

const target = () => ({ run, stamp: '2026-11-26+12-00-00', unixtime: 50, meta: new Map([['ACC', 1.1]]) })
const wait = async () => undefined

describe('a mean that is saved', () => {
  it('is a checkpoint of the run, under the key of the averaged files, that says what it is the mean of', async () => {
    const prepared = await prepare()
    const saved = await saveAverage(storage, prepared, target(), { wait })
    await prepared.close()
    expect(saved.name).toBe('CKPT+2026-11-26+12-00-00+00')
    const { checkpoint } = await loadCheckpoint(storage, saved.path, folder)
    expect(checkpoint.files.map(({ key }) => key)).toEqual(['mdl'])
    expect(Object.fromEntries(checkpoint.meta)).toMatchObject({
      ACC: 1.1,
      'averaged-from': ['CKPT+1', 'CKPT+0'],
      'end-of-epoch': true,
      unixtime: 50,
    })
    expect(floatsIn(readTensors(join(saved.path, 'mdl.ckpt')), 'w')).toEqual([2, 3])
    expect(fs.readdirSync(folder)).toEqual(['save'])
  })

  it('says the weights where there are some', async () => {
    const prepared = await prepare({ weights: [1, 3] })
    const { path } = await saveAverage(storage, prepared, { ...target(), name: 'mean' }, { wait })
    await prepared.close()
    const { checkpoint } = await loadCheckpoint(storage, path, folder)
    expect(checkpoint.name).toBe('CKPT+mean')
    expect(checkpoint.meta.get('averaged-weights')).toEqual([1, 3])
  })

  it('counts what its casts lose, and is not saved for that where it is asked so', async () => {
    const ones = {
      name: 'w',
      dtype: 'F16',
      shape: [2],
      data: new Uint8Array(Uint16Array.of(0x3c00, 0x3c00).buffer),
    } as const
    writeTensors(join(run, 'CKPT+1', 'mdl.ckpt'), [ones])
    writeTensors(join(run, 'CKPT+0', 'mdl.ckpt'), [floats('w', [2], [1e6, 1])])
    const prepared = await prepare()
    await expect(saveAverage(storage, prepared, target(), { wait, strictCast: true })).rejects.toMatchObject({
      code: 'refused',
    })
    expect((await loadRun(storage, run)).checkpoints).toHaveLength(2)
    await prepared.close()
    const again = await prepare()
    const { losses } = await saveAverage(storage, again, target(), { wait })
    await again.close()
    expect(losses).toEqual([{ name: 'w', from: 'F32', to: 'F16', infinite: 1, nan: 0, zero: 0, wrapped: 0 }])
  })

  it('is not there when it is stopped on the way, nor when it is only tried', async () => {
    const prepared = await prepare()
    expect((await previewAverage(storage, prepared, target())).name).toBe('CKPT+2026-11-26+12-00-00+00')
    const signal = AbortSignal.abort()
    await expect(saveAverage(storage, prepared, target(), { wait, signal })).rejects.toMatchObject({
      code: 'interrupted',
    })
    await prepared.close()
    expect((await loadRun(storage, run)).checkpoints.map(({ name }) => name).sort()).toEqual(['CKPT+0', 'CKPT+1'])
    expect(fs.readdirSync(folder)).toEqual(['save'])
  })
})
