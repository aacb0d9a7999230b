/**
 * timm's CheckpointSaver (timm/utils/checkpoint_saver.py): each epoch is saved as `last.pth.tar`, which gets the names
 * `checkpoint-<epoch>.pth.tar` and, when it is the best, `model_best.pth.tar` as hard links (copies where there are
 * none). The metrics of an epoch are a row of `summary.csv` (timm/utils/summary.py). A file is saved as `tmp.pth.tar`
 * first and renamed.
 */
import type { Proof, LayoutSpec } from '../spec.js'

const proof: Proof = {
  sure: [
    { torch: ['epoch', 'arch', 'state_dict', 'version'] },
    { all: [{ torch: ['epoch', 'state_dict'] }, { beside: 'summary.csv' }, { beside: 'args.yaml' }] },
  ],
}

export const timm: LayoutSpec = {
  id: 'timm',
  title: 'timm',
  looks: 'checkpoint-<epoch>.pth.tar, last.pth.tar and model_best.pth.tar, with summary.csv',
  forms: [
    {
      kind: 'file',
      name: /^(?:checkpoint-(?<epoch>\d+)|last|model_best)\.pth\.tar$/,
      proof,
      facts: [
        { from: 'torch', take: { epoch: 'epoch' }, has: { '#optimizer': 'optimizer' } },
        { from: 'name' },
        { from: 'csv', beside: 'summary.csv', by: 'epoch' },
      ],
      resumable: (_, facts) => facts.get('#optimizer') !== false,
    },
    {
      // In the middle of an epoch, whose row of metrics comes at its end.
      kind: 'file',
      name: /^recovery-(?<epoch>\d+)-(?<batch>\d+)\.pth\.tar$/,
      proof: { ...proof, typical: /^recovery-\d+-\d+\.pth\.tar$/ },
      facts: [{ from: 'name' }],
    },
  ],
  copies: { names: /^(last|model_best)\.pth\.tar$/, by: ['file', 'content'] },
}
