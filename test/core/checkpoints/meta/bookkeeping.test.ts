import { describe, expect, it } from 'vitest'
import { isBookkeeping } from '../../../../src/core/checkpoints/meta/index.js'
import { varyingKeys } from '../../../../src/core/choosing/selection/index.js'
import { checkpoint } from '../../checkpoints.js'

describe('bookkeeping', () => {
  it.each([
    'eval_runtime',
    'eval_samples_per_second',
    'train_steps_per_second',
    'grad_norm',
    'learning_rate',
    'total_flos',
    'lr',
    'lr-Adam',
  ])('is %s', (key) => {
    expect(isBookkeeping(key)).toBe(true)
  })

  it.each(['WER', 'val_loss', 'num-examples', 'norm', 'rate', 'counter', 'seconds'])('is not %s', (key) => {
    expect(isBookkeeping(key)).toBe(false)
  })

  it('comes last, and the monitored metric first', () => {
    const metas = [1, 2].map((epoch) => ({
      grad_norm: epoch,
      eval_runtime: epoch,
      other: epoch,
      loss: epoch,
      eval_acc: epoch,
    }))
    const run = metas.map((meta, index) => checkpoint(`e${index}`, { meta }))
    expect(varyingKeys(run)).toEqual(['eval_acc', 'loss', 'other', 'grad_norm', 'eval_runtime'])
  })
})
