/** Whether a metric is better when it is lower or higher, by the words in its name. */
import type { Direction } from '../../checkpoint.js'
import { wordsOf, type Word } from './key-words.js'

const lowerIsBetter = new Set(
  `loss losses error err wer cer per ser eer der ter mer wder dcf mindcf hter ppl perplexity
   rmse mse mae mape rmsle nll bpc bpd crossentropy fid lpips mcd`.split(/\s+/),
)

const higherIsBetter = new Set(
  `acc accuracy f1 fscore bleu sacrebleu chrf rouge meteor cider map ap miou iou dice pesq stoi estoi
   snr sisnr sisnri sdr sisdr sdri sisdri auc auroc auprc precision recall mcc ndcg mrr psnr ssim mos
   top1 top5 r2 reward rewards accuracies margins winrate`.split(/\s+/),
)

/** Two words that only together are a metric. */
const higherPairs: ReadonlySet<string> = new Set(['win rate', 'success rate'])

/**
 * Keys with such a word count, time or weigh something: `eval_samples_per_second`, `num_loss_terms`, `loss_scale`. A
 * spread (`reward_std`), and what is told of the answer that was turned down (`rewards/rejected`), say nothing of how good
 * a checkpoint is.
 */
const noMetric = new Set(
  `num number count n second seconds sec runtime time duration scale scaler weight weights coef coefficient
   lr rate_limit samples steps patience threshold std stddev rejected`.split(/\s+/),
)

/**
 * Which way the metric of this key gets better, by a whole word in it, case ignored; undefined when no word is
 * known. Where several are, the last decides, as in English the last noun says what a thing is (`acc_loss` is a
 * loss). `per` in small letters with a word behind it is a preposition (`loss_per_token`), and `neg` before an
 * error turns it round (`neg_mse`).
 */
export function directionOf(key: string): Direction | undefined {
  const words = wordsOf(key)
  if (words.some((readings) => readings.some(({ text }) => noMetric.has(text)))) return undefined
  for (let index = words.length - 1; index >= 0; index--) {
    const direction = directionOfWord(words[index] ?? [], index === words.length - 1) ?? directionOfPair(words, index)
    if (direction === undefined) continue
    return direction === 'min' && isNegated(words, index) ? 'max' : direction
  }
  return undefined
}

function directionOfWord(readings: readonly Word[], isLast: boolean): Direction | undefined {
  for (const { text, capitals } of [...readings].reverse()) {
    if (text === 'per' && !capitals && !isLast) continue
    if (lowerIsBetter.has(text)) return 'min'
    if (higherIsBetter.has(text)) return 'max'
  }
  return undefined
}

function directionOfPair(words: readonly Word[][], index: number): Direction | undefined {
  const [before, word] = [words[index - 1]?.[0]?.text, words[index]?.[0]?.text]
  return higherPairs.has(`${before ?? ''} ${word ?? ''}`) ? 'max' : undefined
}

function isNegated(words: readonly Word[][], index: number): boolean {
  const isLoss = (words[index] ?? []).some(({ text }) => text === 'loss' || text === 'losses')
  return !isLoss && words.slice(0, index).some((readings) => readings.some(({ text }) => text === 'neg'))
}
