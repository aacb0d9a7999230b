import { describe, expect, it } from 'vitest'
import { directionOf, isImpossible, metricKeys } from '../../../../src/core/checkpoints/meta/index.js'

describe('the direction of a metric', () => {
  it.each(
    `loss valid/loss eval_loss validLoss WER wer_test valid/CER PER valid_PER ErrorRate error ppl eval-perplexity rmse MAE eer
     loss_per_token acc_loss map_error neg_loss binary_crossentropy metrics/eval/CrossEntropy`.split(/\s+/),
  )('%s: lower is better', (key) => {
    expect(directionOf(key)).toBe('min')
  })

  it.each(
    `acc ACC val_acc accuracy F1 f1_macro eval/f1 bleu4 mAP50 metrics/mAP50-95(B) mIoU si-snr sisnr STOI pesq AUC top1_acc rouge1
     neg_mse val_r2 neg_nll reward rewards/format_reward/mean mean_reward objective/rlhf_reward win_rate eval/success_rate winrate
     eval_rewards/accuracies rewards/margins rewards/chosen`.split(/\s+/),
  )('%s: higher is better', (key) => {
    expect(directionOf(key)).toBe('max')
  })

  it.each(
    `epoch unixtime step lr end-of-epoch eval_runtime eval_samples_per_second grad_norm num_loss_terms loss_scale per_class lossy
     precise number mapping wercs score reward_std frac_reward_zero_std rewards/rejected win_length rate`.split(/\s+/),
  )('%s: not known', (key) => {
    expect(directionOf(key)).toBeUndefined()
  })
})

describe('an impossible metric', () => {
  it.each([
    ['ACC', 1.1, [0.5, 0.6]],
    ['ACC', 1.1, [0.5, 1.1]],
    ['ACC', 1.1, []],
    ['valid/accuracy', 100.1, [45, 60]],
    ['ACC', -0.1, [0.5]],
    ['WER', -0.1, [12]],
    ['valid/CER', -0.1, []],
    ['ErrorRate', -1, [0.3]],
    ['f1', 1.1, [0.2, NaN]],
  ])('%s %d beside %j marks an averaged checkpoint', (key, value, others) => {
    expect(isImpossible(key, value, others)).toBe(true)
  })

  it.each([
    ['ACC', 1.1, [45, 60]],
    ['ACC', 1, [0.5]],
    ['ACC', 45.2, []],
    ['loss', -3.2, [1]],
    ['si-snr', -15.8, [-10]],
    ['log_error', -2, [1]],
    ['bleu', 40, [0.3]],
    ['WER', 130, [12]],
    ['WER', NaN, [12]],
    ['lr', -1, []],
  ])('%s %d beside %j is possible', (key, value, others) => {
    expect(isImpossible(key, value, others)).toBe(false)
  })
})

describe('metric keys', () => {
  it('are the numeric keys of known direction, in order of first appearance', () => {
    const metas = [
      new Map<string, number | string | bigint>([
        ['epoch', 1],
        ['WER', 'not a number'],
        ['loss', 2],
      ]),
      new Map<string, number | bigint>([
        ['ACC', 1n],
        ['loss', 3],
        ['WER', 12],
      ]),
    ]
    expect(metricKeys(metas)).toEqual(['loss', 'ACC', 'WER'])
  })
})
