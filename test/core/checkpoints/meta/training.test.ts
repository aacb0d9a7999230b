import { describe, expect, it } from 'vitest'
import { evaluationsAmong, isEvaluation, withoutTraining } from '../../../../src/core/checkpoints/meta/index.js'

function left(...keys: readonly string[]): string[] {
  return withoutTraining(keys.map((key) => ({ key }))).map(({ key }) => key)
}

describe('metrics that were measured while training', () => {
  it('are left out where there is an evaluation', () => {
    expect(left('loss', 'eval_loss', 'eval_accuracy')).toEqual(['eval_loss', 'eval_accuracy'])
    const all = ['loss', 'WER', 'val_acc'].map((key) => ({ key }))
    expect(withoutTraining(all)).toEqual(all)
    expect(evaluationsAmong(all)).toEqual(all.slice(1))
    expect(left('train_loss', 'val/loss', 'acc', 'val/acc')).toEqual(['val/loss', 'val/acc'])
    expect(left('rewards/accuracy', 'eval_rewards/accuracy')).toEqual(['eval_rewards/accuracy'])
    expect(left('train_loss', 'WER')).toEqual(['WER'])
  })

  it('stay where there is nothing else, and beside what may be anything', () => {
    expect(left('train_loss')).toEqual(['train_loss'])
    expect(left('loss', 'WER', 'ACC')).toEqual(['loss', 'WER', 'ACC'])
    expect(left('acc', 'val_loss')).toEqual(['acc', 'val_loss'])
  })

  it('are told by whole words', () => {
    expect(['eval_loss', 'validLoss', 'dev-wer', 'val/acc'].every(isEvaluation)).toBe(true)
    expect(['value_loss', 'loss', 'train_val_loss', 'interval_error'].some(isEvaluation)).toBe(false)
  })
})
