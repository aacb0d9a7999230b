/** What Ultralytics writes where it does not validate each epoch. */
import { expect, it } from 'vitest'
import { ownValue } from '../../../../src/core/checkpoint.js'
import { findRuns } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { makeFolder, write } from './folders.js'
import { dict, float, tensor, torchFile, type Python } from './lightning-files.js'

function saved(epoch: number, fitness: Python, loss: number): Uint8Array {
  return torchFile(
    dict({
      epoch,
      best_fitness: fitness,
      model: null,
      ema: dict({ 'a.weight': tensor(1) }),
      updates: epoch + 1,
      optimizer: dict({ lr: float(0.1) }),
      train_args: dict({ val: false }),
      train_metrics: dict({ 'val/box_loss': float(loss), fitness }),
    }),
  )
}

it("val=False: the zeros before the first validation are no metrics of Ultralytics'", async () => {
  const root = makeFolder()
  write(root, {
    'results.csv': 'epoch,val/box_loss\n1,0\n2,0\n3,1.5\n',
    'weights/epoch0.pt': saved(0, null, 0),
    'weights/epoch1.pt': saved(1, null, 0),
    'weights/epoch2.pt': saved(2, float(0.25), 1.5),
  })
  const all = (await findRuns(localStorage(), root)).flatMap(({ checkpoints }) => checkpoints)
  const [first, , last] = all.toSorted((a, b) => (a.epoch ?? 0) - (b.epoch ?? 0))
  expect(first?.meta.get('val/box_loss')).toBe(0)
  expect(first?.measuredAt?.get('val/box_loss')).toEqual({})
  expect(last?.measuredAt?.has('val/box_loss') ?? false).toBe(false)
  expect(all.filter((one) => ownValue(one, 'val/box_loss') !== undefined).map(({ name }) => name)).toEqual([
    'epoch2.pt',
  ])
})
