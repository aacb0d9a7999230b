import { describe, expect, it } from 'vitest'
import { describeContradictions } from '../../../../src/core/choosing/selection/contradictions.js'

const asked = (kind: 'min' | 'max', key: string) => describeContradictions([{ kind, key }], [])

describe('orders against the name of their metric', () => {
  it.each([
    ['max', 'loss'],
    ['max', 'valid/WER'],
    ['min', 'eval_accuracy'],
    ['min', 'neg_mse'],
  ] as const)('--%s %s is told', (kind, key) => {
    expect(asked(kind, key)).toHaveLength(1)
  })

  it.each(['neg_loss', 'val_neg_loss', 'negative_loss'])('%s may be either, so nothing is told', (key) => {
    expect([...asked('max', key), ...asked('min', key)]).toEqual([])
  })

  it('a word that only begins like that is none', () => {
    expect(asked('max', 'negation_loss')).toHaveLength(1)
  })
})
