/** What the keys in a `.metadata` of torch.distributed.checkpoint tell: whether anything but the model was saved. */
import type { Meta, MetaValue } from '../../../checkpoint.js'

/** Keys of what resuming needs, as they stand in the pickle of `.metadata`. */
const resumeKeys = ['optimizer.', 'optim.', 'optimizer_state', 'train_state', 'lr_scheduler']

/** A pickle's last byte. */
const stop = '.'

/** The fact `#resumable` of the file's text; none of a file that was cut before such a key, which tells nothing. */
export function resumeKeysIn(content: Meta): Meta {
  const text = content.get('text')
  const has = typeof text === 'string' && resumeKeys.some((key) => text.includes(key))
  const isAll = typeof text === 'string' && text.endsWith(stop)
  return new Map<string, MetaValue>(has || isAll ? [['#resumable', has]] : [])
}
