/**
 * Coqui's Trainer (trainer/io.py, trainer.py): `checkpoint_<N>.pth` and `best_model_<N>.pth` with everything, and
 * `best_model.pth`, a copy of the newest best. It resumes from the largest N of both. `model_loss` has the losses; in
 * `checkpoint_<N>.pth` there is none of an evaluation.
 */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import type { LayoutSpec } from '../spec.js'
import { takesLargest } from '../resume-search.js'

export const coqui: LayoutSpec = {
  id: 'coqui',
  title: 'Coqui Trainer',
  looks: 'checkpoint_<N>.pth, best_model_<N>.pth and best_model.pth',
  // trainer/io.py, `get_last_checkpoint`: a best one only where its number is larger than that of every checkpoint_<N>.
  resumesFrom: (there) => {
    const takesLast = takesLargest('--continue_path', 'file', /^(?:checkpoint|best_model)_(\d+)\.pth$/)
    return takesLast(there.toSorted((a, b) => Number(isBest(a.name)) - Number(isBest(b.name))))
  },
  forms: [
    {
      kind: 'file',
      name: /^(?:checkpoint_(?<step>\d+)|(?<best>best_model)(?:_\d+)?)\.pth$/,
      called: { best: '#best' },
      proof: { sure: [{ torch: ['config', 'model', 'optimizer', 'step', 'model_loss'] }] },
      facts: [
        { from: 'torch', take: { step: 'step', epoch: 'epoch', '#loss': 'model_loss' }, pick: losses },
        { from: 'name' },
      ],
    },
  ],
  // By the loss of the evaluation; without one, by that of the training (trainer.py, `save_best_model`).
  judge: (facts) => {
    if (facts.get('#best') === undefined) return []
    return [[facts.has('eval_loss') ? 'eval_loss' : 'train_loss', 'min']]
  },
  best: /^best_model\.pth$/,
  copies: { names: /^best_model\.pth$/, by: ['file', 'content', { facts: ['step', 'epoch', 'eval_loss'] }] },
}

function isBest(name: string): boolean {
  return name.startsWith('best_model')
}

/** A number in old versions. */
function losses(content: Meta): Meta {
  const loss = content.get('model_loss')
  if (typeof loss === 'number') return new Map([['model_loss', loss]])
  if (!isMeta(loss)) return new Map()
  return new Map([...loss].filter((pair): pair is [string, MetaValue] => typeof pair[1] === 'number'))
}
