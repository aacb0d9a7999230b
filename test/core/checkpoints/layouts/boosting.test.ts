/** Models of boosted trees, by what is inside under the names that people give them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder, write } from './folders.js'

const bytesOf = (name: string) => readFileSync(join(fixtures, 'frameworks/xgboost/run', name))

async function found(files: Readonly<Record<string, string | Uint8Array>>): Promise<unknown[]> {
  const runs = await findRuns(localStorage(), write(makeFolder(), files))
  return runs.flatMap(({ checkpoints }) =>
    checkpoints.map(({ name, layout, health }) => [name, layout, health.findings]),
  )
}

describe('a model of XGBoost', () => {
  it.each(['clf.json', 'xgb_reg.json', 'reg.json', 'bst.json', 'my-classifier.json', 'ranker_v2.json'])(
    'is known as %s, and so is nothing else of that name',
    async (name) => {
      expect(await found({ [name]: bytesOf('final.json') })).toEqual([[name, 'xgboost', []]])
      expect(await found({ [name]: '{"labels": [1, 2]}' })).toEqual([])
    },
  )

  it.each(['xgb.model', '0001.model'])('is known as %s, which a tokenizer may have too', async (name) => {
    expect(await found({ [name]: bytesOf('ckpt/model_4.ubj') })).toEqual([[name, 'xgboost', []]])
    expect(await found({ [name]: '\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02' })).toEqual([])
  })

  it('has the rounds that are in it, whatever its own script’s number counts', async () => {
    const root = write(makeFolder(), { 'xgb_5.ubj': bytesOf('ckpt/model_4.ubj'), 'xgb_12.json': bytesOf('final.json') })
    const [run] = await findRuns(localStorage(), root)
    expect(run?.checkpoints.map(({ name, step }) => [name, step])).toEqual([
      ['xgb_5.ubj', 5],
      ['xgb_12.json', 12],
    ])
  })

  it('of the older binary format is not held for one of JSON that was cut off', async () => {
    const bytes = Buffer.concat([
      Buffer.from('binf'),
      Buffer.alloc(40),
      Buffer.from('binary:logistic\0gbtree\0'),
      Buffer.alloc(64),
    ])
    expect(await found({ 'xgb.model': bytes })).toEqual([['xgb.model', 'xgboost', []]])
  })
})

describe('a model of LightGBM', () => {
  const model = readFileSync(join(fixtures, 'frameworks/lightgbm/run/model.txt'))

  it.each(['fold0_iter_3.txt', 'credit_best.txt', 'round-12.txt', 'final.txt'])(
    'is known as %s, and so is nothing else of that name',
    async (name) => {
      expect(await found({ [name]: model })).toEqual([[name, 'lightgbm', []]])
      expect(await found({ [name]: 'iter 3: loss 0.2\n' })).toEqual([])
    },
  )

  it('is known under any name beside its snapshots, or where few texts lie', async () => {
    const texts = (count: number) => Object.fromEntries([...Array(count).keys()].map((at) => [`page-${at}.txt`, 'x']))
    const snapshot = { 'credit.txt.snapshot_iter_4': model }
    expect(await found({ ...texts(3), 'credit.txt': model })).toEqual([['credit.txt', 'lightgbm', []]])
    expect(await found({ ...texts(4), 'credit.txt': model })).toEqual([])
    expect((await found({ ...texts(4), ...snapshot, 'credit.txt': model })).length).toBe(2)
    expect((await found({ ...snapshot, 'credit.dat': model })).length).toBe(1)
    expect(await found({ 'requirements.txt': model, 'labels_2.txt': model })).toEqual([])
  })

  it('as its last snapshot was is the same once more', async () => {
    const root = write(makeFolder(), { 'a.txt': model, 'a.txt.snapshot_iter_12': model })
    const [run] = await findRuns(localStorage(), root)
    expect(run?.checkpoints.map(({ name, sameAs }) => [name, sameAs])).toEqual([
      ['a.txt', 'a.txt.snapshot_iter_12'],
      ['a.txt.snapshot_iter_12', undefined],
    ])
  })
})
