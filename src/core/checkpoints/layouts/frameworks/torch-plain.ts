/**
 * What people's own scripts save with torch.save: a model's state dict (or a whole module), alone or beside what counts
 * the training. Known by what is inside, never by the name; a TorchScript program, a bare tensor or a dict of statistics
 * is none. What counts is asked last of all layouts.
 */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { countsIn } from '../engine/counts.js'
import type { Unit } from '../engine/unit.js'
import type { LayoutSpec } from '../spec.js'

/** An optimizer's state dict, under whatever key, also in a list or a mapping of several, or one level deeper. */
const optimizerPaths = [
  ['*', 'param_groups'],
  ['*', '0', 'param_groups'],
  ['*', '*', 'param_groups'],
]

export const torchPlain: LayoutSpec = {
  id: 'torch',
  title: 'PyTorch script',
  looks: '<anything>.pt, .pth, .ckpt or .pth.tar with a state dict inside',
  forms: [
    {
      kind: 'file',
      name: /\.(pt|pth|ckpt|tar)$/,
      proof: {
        sure: [{ stateDict: [] }, { stateDictIn: 'any key' }, { stateDict: ['data', 'model'] }],
        typical: /^(?:ckpt|checkpoint|model)[-_]?(?:epoch|step|iter)?[-_=]?\d+.*\.(?:pt|pth|ckpt)$/,
      },
      facts: [
        {
          from: 'torch',
          spread: [[], 'metrics'],
          leave: /^(version|seed|world_size|rank|lr|learning_rate|training|_.*)$/,
          has: Object.fromEntries(optimizerPaths.map((path, index) => [`#optimizer${index}`, path])),
          pick: countsIn,
        },
        { from: 'torch', pick: (_, unit) => countsOfName(unit) },
      ],
      resumable: (_, facts) => optimizerPaths.some((_path, index) => facts.get(`#optimizer${index}`) === true),
    },
  ],
  copies: { names: /^(.*[-_.])?(last|latest|best|final)\b.*$/, by: ['file', 'content'] },
}

/** `model_epoch_12.pt`, `ckpt-step=300.pt`, `checkpoint_3000.pth`: a number without a word is a step. */
function countsOfName({ name }: Unit): Meta {
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
