/**
 * PyTorch-Ignite's Checkpoint handler (ignite/handlers/checkpoint.py): `<prefix>_checkpoint_<N>.pt` with one state dict
 * for each object that is saved; with a single object its bare state dict under `<prefix>_<object>_<N>[_<score>=…].pt`.
 * N is the trainer's iteration, or its epoch where a `global_step_transform` says so: what is saved tells which. A
 * higher score is better, so losses are negated; the score in the name has four decimals.
 */
import type { LayoutSpec } from '../spec.js'

export const ignite: LayoutSpec = {
  id: 'ignite',
  title: 'PyTorch-Ignite',
  looks: '<prefix>_checkpoint_<N>.pt, <prefix>_model_<N>_<score>=<value>.pt',
  forms: [
    {
      kind: 'file',
      name: /^(?:\w+?_)?checkpoint_(?<step>\d+)\.pt$/,
      proof: {
        sure: [{ torch: ['trainer', ['trainer', 'epoch_length']] }, { torch: ['model', 'optimizer', 'trainer'] }],
      },
      facts: [{ from: 'name' }, { from: 'torch', take: { '#iteration': ['trainer', 'iteration'] } }],
    },
    {
      kind: 'file',
      name: /^best_\w+?_(?<epoch>\d+)_(?<score>\w+)=(?<value>-?\d+(?:\.\d+)?)\.pt$/,
      proof: { sure: [{ stateDict: [] }] },
      facts: [{ from: 'name', leave: ['score', 'value'] }],
      resumable: false,
    },
  ],
}
