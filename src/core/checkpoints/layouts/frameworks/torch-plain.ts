/**
 * What people's own scripts save with torch.save: a model's state dict (or a whole module), alone or beside what counts
 * the training. Known by what is inside, never by the name; a TorchScript program, a bare tensor or a dict of statistics
 * is none. What counts is asked last of all layouts.
 */
import { countsIn } from '../engine/count-names.js'
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
          leave: /^(version|seed|world_size|rank|lr|learning_rate|training|(.*\.)?num_batches_tracked|_.*)$/,
          has: Object.fromEntries(optimizerPaths.map((path, index) => [`#optimizer${index}`, path])),
          pick: countsIn,
        },
        { from: 'name', words: true },
      ],
      resumable: (_, facts) => optimizerPaths.some((_path, index) => facts.get(`#optimizer${index}`) === true),
    },
  ],
  copies: { names: /^(.*[-_.])?(last|latest|best|final)\b.*$/, by: ['file', 'content'] },
}
