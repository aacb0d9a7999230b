/** Scripts save what they like; these are the names that they count by (the first that is there). */
import type { Meta, MetaValue } from '../../../checkpoint.js'

const names: Readonly<Record<'step' | 'epoch', readonly string[]>> = {
  step: [
    'step',
    'global_step',
    'global_steps',
    'steps',
    'num_updates',
    'iteration',
    'iter',
    'iter_num',
    'n_iter',
    'it',
    'current_step',
    'train_step',
  ],
  epoch: ['epoch', 'epochs', 'current_epoch'],
}

/** `step` and `epoch`, where one of the usual names tells them: for `pick`. */
export function countsIn(meta: Meta): Meta {
  const found = new Map<string, MetaValue>()
  for (const [key, known] of Object.entries(names)) {
    const value = known.map((name) => meta.get(name)).find((one) => typeof one === 'number')
    if (value !== undefined) found.set(key, value)
  }
  return found
}
