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

/** All of them. */
export const countNames: ReadonlySet<string> = new Set(Object.values(names).flat())

/** What scripts save beside their metrics. */
export const noMetrics = /^(version|seed|world_size|rank|lr|learning_rate|training|(.*\.)?num_batches_tracked|_.*)$/

/** `step` and `epoch`, where one of the usual names tells them: for `pick`. */
export function countsIn(meta: Meta): Meta {
  const found = new Map<string, MetaValue>()
  for (const [key, known] of Object.entries(names)) {
    const value = known.map((name) => meta.get(name)).find((one) => typeof one === 'number')
    if (value !== undefined) found.set(key, value)
  }
  return found
}

/** `model_epoch_12.pt`, `ckpt-step=300.pt`, `checkpoint_3000.pth`: a number without a word is a step. */
export function countsOfName(name: string): Meta {
  const counts = new Map<string, MetaValue>()
  const epoch = /(?:^|[^a-z])(?:epochs?|ep|e)[-_=]?(\d+)/i.exec(name)?.[1]
  const step = /(?:^|[^a-z])(?:global_?step|steps?|iters?|iteration|it)[-_=]?(\d+)/i.exec(name)?.[1]
  const bare =
    /(?:^|[-_.])(?:ckpt|checkpoint|model|net|weights|params|state|snapshot|generator|discriminator)[-_](\d+)(?=[-_.])/i.exec(
      name,
    )?.[1] ?? /^(\d+)\.\w+$/.exec(name)?.[1]
  if (epoch !== undefined) counts.set('epoch', Number(epoch))
  if (step !== undefined) counts.set('step', Number(step))
  else if (bare !== undefined && epoch === undefined) counts.set('step', Number(bare))
  return counts
}
