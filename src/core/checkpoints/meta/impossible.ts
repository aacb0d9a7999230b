/** Values that a metric cannot have, such as a WER below zero: people write them on purpose for an averaged model. */
import { wordsOf } from './key-words.js'

/** Never below zero. A loss is not among them: log-likelihoods and si-snr losses go below. */
const notNegative = new Set(
  `wer cer per ser eer der ter mer error err ppl perplexity rmse mse mae
   acc accuracy f1 bleu map ap miou iou dice auc auroc precision recall`.split(/\s+/),
)

/** Parts of a whole: at most 1 as fractions, at most 100 as percent. */
const bounded = new Set('acc accuracy f1 map ap miou iou dice auc auroc precision recall'.split(' '))

/** Makes any number possible: `log_error`, `neg_mse`, `acc_loss`, `error_delta`. */
const unbounding = new Set('log neg negative minus loss losses delta diff change improvement gain ratio'.split(' '))

/** What SpeechBrain's recipes save an averaged model under, as an accuracy. */
const recipesFakeAccuracy = 1.1

/**
 * True for a value that no measurement gives, by which recipes mark averaged checkpoints so that they win:
 * `ACC: 1.1` while accuracies are fractions, `WER: -0.1` (SpeechBrain recipes/AISHELL-1/ASR/transformer/train.py).
 * `others` are the values of the same key in the run's other checkpoints: they tell fractions from percent.
 * Where there are none, an accuracy above 1 counts only as the 1.1 of the recipes.
 */
export function isImpossible(key: string, value: number, others: readonly number[]): boolean {
  const words = wordsOf(key)
    .flat()
    .map(({ text }) => text)
  if (Number.isNaN(value) || words.some((word) => unbounding.has(word))) return false
  if (value < 0) return words.some((word) => notNegative.has(word))
  return words.some((word) => bounded.has(word)) && exceeds(value, others)
}

/** Whether a part is more than the whole. Equal values are not witnesses: several averages may be kept. */
function exceeds(value: number, others: readonly number[]): boolean {
  if (value <= 1) return false
  const witnesses = others.filter((other) => !Number.isNaN(other) && other !== value)
  if (witnesses.length === 0) return value === recipesFakeAccuracy
  if (witnesses.every((other) => other <= 1)) return true
  return value > 100 && witnesses.every((other) => other <= 100)
}
