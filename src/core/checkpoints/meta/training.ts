/** Which metrics were measured during training, on the data that the model learns from. */
import { piecesOf, wordsOf } from './key-words.js'

const evaluationWords = new Set('eval evals evaluation val valid validation dev test heldout holdout'.split(' '))
const trainingWords = new Set(['train', 'training', 'trn'])

function has(key: string, words: ReadonlySet<string>): boolean {
  return wordsOf(key).some((readings) => readings.some(({ text }) => words.has(text)))
}

/** True for a key that names an evaluation: `eval_loss`, `val/acc`, `validLoss`. */
export function isEvaluation(key: string): boolean {
  return has(key, evaluationWords) && !has(key, trainingWords)
}

/**
 * Without what was surely measured while training, where there is another metric: `train_loss`, and `acc` where there
 * is `val_acc`. A training loss says little of how good a checkpoint is.
 */
export function withoutTraining<T extends { readonly key: string }>(metrics: readonly T[]): T[] {
  const twins = new Set(metrics.flatMap(({ key }) => (isEvaluation(key) ? [bare(key)] : [])))
  const others = metrics.filter(({ key }) => !has(key, trainingWords) && (isEvaluation(key) || !twins.has(bare(key))))
  return others.length === 0 ? [...metrics] : others
}

/** The same, and without a plain `loss` beside an evaluation: most likely the training's. */
export function evaluationsAmong<T extends { readonly key: string }>(metrics: readonly T[]): T[] {
  const others = withoutTraining(metrics)
  if (!others.some(({ key }) => isEvaluation(key))) return others
  return others.filter(({ key }) => isEvaluation(key) || !isLoss(key))
}

function isLoss(key: string): boolean {
  return has(key, new Set(['loss', 'losses']))
}

/** The key without the words that say where it was measured: `eval_f1` and `f1` are one. */
function bare(key: string): string {
  return piecesOf(key)
    .map((word) => word.toLowerCase())
    .filter((word) => !evaluationWords.has(word))
    .join('_')
}
