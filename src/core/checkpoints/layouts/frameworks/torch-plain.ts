/**
 * What people's own scripts save with torch.save: a model's state dict (or a whole module), alone or beside what counts
 * the training. Known by what is inside, never by the name; a TorchScript program, a bare tensor or a dict of statistics
 * is none. What counts is asked last of all layouts.
 */
import { countsIn, noMetrics } from '../engine/count-names.js'
import type { LayoutSpec } from '../spec.js'
import { holdsOptimizer, optimizerFacts } from './optimizer-paths.js'

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
          leave: noMetrics,
          has: optimizerFacts,
          pick: countsIn,
        },
        { from: 'name', words: true, pairs: true },
      ],
      resumable: (_, facts) => holdsOptimizer(facts) ?? false,
    },
  ],
  // Scores are the higher the better for what keeps the best ones, so that errors are negated: `neg_loss=-0.2000`.
  judge: (facts) =>
    [...facts].flatMap(([key, value]): [string, 'max'][] =>
      key.startsWith('neg_') && typeof value === 'number' && value < 0 ? [[key, 'max']] : [],
    ),
  // One of them, and not a series: what a script calls so it keeps for that, and no other file may hold that state.
  best: /^(?:[a-z]+[-_.])*best(?:[-_.][a-z]+)*\.(?:pt|pth|ckpt|pth\.tar)$/i,
  copies: { names: /^(.*[-_.])?(last|latest|best|final)\b.*$/, by: ['file', 'content'] },
}
