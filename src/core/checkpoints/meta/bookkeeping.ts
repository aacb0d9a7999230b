/** Numbers that frameworks write beside the metrics, and that say nothing of how good a checkpoint is. */
import { wordsOf } from './key-words.js'

const words = new Set('runtime lr flos'.split(' '))
const pairs = ['grad norm', 'learning rate', 'per second']

/** `eval_runtime`, `eval_samples_per_second`, `grad_norm`, `learning_rate`, `lr-Adam`, `total_flos`. */
export function isBookkeeping(key: string): boolean {
  const [found, texts] = [wordsOf(key), wordsOf(key).map(([first]) => first?.text ?? '')]
  if (found.some((readings) => readings.some(({ text }) => words.has(text)))) return true
  return texts.some((text, index) => pairs.includes(`${text} ${texts[index + 1] ?? ''}`))
}
