/** What the names of plain scripts tell, beside what lies inside. */
import { describe, expect, it } from 'vitest'
import type { Checkpoint } from '../../../../src/core/checkpoint.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { bestOrder, rank } from '../../../../src/core/choosing/selection/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from './folders.js'
import { dict, float, tensor, torchFile, type Python } from './lightning-files.js'

const weights = dict({ 'a.weight': tensor(1) })

async function checkpointsOf(names: readonly string[], content: Python = weights): Promise<readonly Checkpoint[]> {
  const root = write(makeFolder(), Object.fromEntries(names.map((name) => [name, torchFile(content)])))
  const [run] = await findRuns(localStorage(), root)
  return run?.checkpoints ?? []
}

describe('the name of what a script saved', () => {
  it.each([
    ['model_12-neg_nll=-0.2000.pt', 12, null, { neg_nll: -0.2 }],
    ['model_epoch=3_val_loss=0.25.pth', null, 3, { val_loss: 0.25 }],
    ['best_model_12_val_acc=0.75.pt', 12, null, { val_acc: 0.75 }],
    ['ckpt-epoch=4-step=100-wer=12.5-cer=3.pt', 100, 4, { wer: 12.5, cer: 3 }],
    ['net_epoch_7_top1_acc=0.5_lr=0.001_bs=32.pt', null, 7, { top1_acc: 0.5 }],
    ['checkpoint_3000_0.41.pth', 3000, null, {}],
  ])('%s', async (name, step, epoch, metrics) => {
    const [one] = await checkpointsOf([name])
    const told = [...(one?.meta ?? [])].filter(([key]) => key !== 'a.weight')
    expect([one?.step, one?.epoch, Object.fromEntries(told)]).toEqual([step, epoch, metrics])
  })

  it('says less than what lies inside', async () => {
    const [one] = await checkpointsOf(
      ['m_2_val_loss=0.25.pt'],
      dict({ model: weights, epoch: 2, val_loss: float(0.2468) }),
    )
    expect([one?.epoch, one?.meta.get('val_loss')]).toEqual([2, 0.2468])
  })

  it.each([
    ['neg_nll', ['model_4-neg_nll=-0.9000.pt', 'model_8-neg_nll=-0.2000.pt', 'model_12-neg_nll=-0.5000.pt']],
    ['neg_loss', ['model_4-neg_loss=-0.9000.pt', 'model_8-neg_loss=-0.2000.pt', 'model_12-neg_loss=-0.5000.pt']],
  ])('has a negated error that is the better the higher it is: %s', async (key, names) => {
    const found = await checkpointsOf(names)
    expect(bestOrder(found)).toEqual({ kind: 'max', key })
    expect(rank(found, bestOrder(found), 2e9)[0]?.name).toBe(names[1])
  })
})
