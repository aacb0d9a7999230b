/** PaddlePaddle's files in folders: a checkpoint each, or a run. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findRuns, loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture, makeFolder, write } from './folders.js'

const pair = (stem: string) => ({ [`${stem}.pdparams`]: '\x80\x04', [`${stem}.pdopt`]: '\x80\x04' })

async function found(files: Readonly<Record<string, string>>): Promise<unknown[]> {
  const root = write(makeFolder(), files)
  const runs = await findRuns(localStorage(), root)
  return runs.flatMap(({ path, checkpoints }) =>
    checkpoints.map(({ name, step, epoch }) => [path.slice(root.length + 1), name, step ?? null, epoch ?? null]),
  )
}

describe('folders with one model of PaddlePaddle', () => {
  it('are checkpoints of one run, with the counts of their names', async () => {
    expect(await found({ ...pair('step_10/model'), ...pair('step_20/model'), ...pair('best_model/model') })).toEqual([
      ['', 'best_model', null, null],
      ['', 'step_10', 10, null],
      ['', 'step_20', 20, null],
    ])
    expect(await found({ ...pair('epoch_1_step_5/model_state'), ...pair('ckpt-9/model') })).toHaveLength(2)
  })

  it('are runs where many are in one, each with a number', async () => {
    expect(await found({ ...pair('model_1/0'), ...pair('model_1/1') })).toEqual([
      ['model_1', '0.pdparams', null, 0],
      ['model_1', '1.pdparams', null, 1],
    ])
  })
})

describe('a checkpoint of PaddleNLP’s Trainer', () => {
  const root = () => join(copyFixture('frameworks/paddlenlp/run'), 'single')

  it('lacks what its Trainer does not go on without', async () => {
    const run = root()
    rmSync(join(run, 'checkpoint-30/optimizer.pdopt'))
    rmSync(join(run, 'checkpoint-20/scheduler.pdparams'))
    const { checkpoints } = await loadRun(localStorage(), run)
    expect(checkpoints.map(({ name, layout, lacks = [] }) => [name, layout, lacks])).toEqual([
      ['checkpoint-10', 'paddlenlp', []],
      ['checkpoint-20', 'paddlenlp', ['scheduler']],
      ['checkpoint-30', 'paddlenlp', ['optimizer']],
    ])
  })

  it('is unfinished without trainer_state.json', async () => {
    const run = root()
    rmSync(join(run, 'checkpoint-30/trainer_state.json'))
    rmSync(join(run, 'checkpoint-30/rng_state.pth'))
    const { checkpoints } = await loadRun(localStorage(), run)
    expect(checkpoints.at(-1)?.health).toMatchObject({ grade: 'unfinished' })
  })
})
