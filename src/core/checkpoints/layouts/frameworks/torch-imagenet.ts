/**
 * The ImageNet example of PyTorch (pytorch/examples, imagenet/main.py), and the many scripts that began as it:
 * `checkpoint.pth.tar`, written over each epoch in place, and `model_best.pth.tar`, a copy. `epoch` counts what is
 * done. `best_acc1` is the best until then, which is a file's own accuracy only in the copy.
 */
import type { LayoutSpec } from '../spec.js'

export const torchImagenet: LayoutSpec = {
  id: 'torch-imagenet',
  title: "PyTorch's ImageNet example",
  looks: 'checkpoint.pth.tar and model_best.pth.tar',
  forms: [
    {
      kind: 'file',
      name: /^(?:checkpoint|model_best)\.pth\.tar$/,
      proof: { sure: [{ torch: ['epoch', 'state_dict', 'optimizer'] }] },
      facts: [{ from: 'torch', take: { epoch: 'epoch', best_acc1: 'best_acc1', best_prec1: 'best_prec1' } }],
    },
  ],
  best: /^model_best\.pth\.tar$/,
  copies: { names: /^model_best\.pth\.tar$/, by: ['file', 'content'] },
}
