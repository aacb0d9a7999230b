/**
 * WeNet (wenet/utils/executor.py, utils/checkpoint.py, bin/train.py): a bare state dict `epoch_<E>.pt` (E from 0) or
 * `step_<S>.pt`, then its `.yaml` with the metrics under `loss_dict`; versions before 3 have `<N>.pt`. Without its yaml a
 * file is an average, or its save was not finished. The yaml of an epoch counts updates done, that of a step the index
 * of the last one. `final.pt` is a link to a name that version 3 does not write.
 */
import type { FileRule, LayoutSpec, Proof } from '../spec.js'

/** An average has no yaml; whether another may lack it, `whole` says. */
const files: readonly FileRule[] = [
  { name: /\.pt$/, role: 'weights', key: 'model', optional: true },
  { name: /\.yaml$/, role: 'loop', key: 'info', optional: true },
]

/** A file without its yaml is one whose save was not finished, where `train.yaml` says whose it is. */
const proof: Proof = {
  sure: [{ all: [{ file: /\.yaml$/ }, { file: /\.pt$/ }, { beside: 'train.yaml' }] }],
  likely: [{ all: [{ file: /\.pt$/ }, { beside: 'train.yaml' }] }],
}

export const wenet: LayoutSpec = {
  id: 'wenet',
  title: 'WeNet',
  looks: 'epoch_<N>.pt or step_<N>.pt with its .yaml, init.pt, avg_<N>.pt, final.pt',
  // As average_model.py chooses with --val_best.
  judge: (facts) => (facts.has('loss') ? [['loss', 'min']] : facts.has('cv_loss') ? [['cv_loss', 'min']] : []),
  forms: [
    {
      kind: 'group',
      name: /^(?<unit>epoch_(?<epoch>\d+)|\d+|init)\.(?<part>pt|yaml)$/,
      main: /\.pt$/,
      proof: { ...proof, typical: /^epoch_\d+\.pt$/ },
      whole: { needs: [{ any: [/\.yaml$/], reason: 'its .yaml, which is written after it, is not there' }] },
      facts: [
        {
          from: 'yaml',
          file: /\.yaml$/,
          take: { epoch: 'epoch', step: 'step', cv_loss: 'cv_loss' },
          spread: ['loss_dict'],
        },
        { from: 'name' },
      ],
      files,
      resumable: false,
    },
    {
      kind: 'group',
      name: /^(?<unit>step_\d+)\.(?<part>pt|yaml)$/,
      main: /\.pt$/,
      proof: { ...proof, typical: /^step_\d+\.pt$/ },
      whole: { needs: [{ any: [/\.yaml$/], reason: 'its .yaml, which is written after it, is not there' }] },
      facts: [{ from: 'yaml', file: /\.yaml$/, take: { step: 'step' }, spread: ['loss_dict'], add: { step: 1 } }],
      files,
      resumable: false,
    },
    {
      kind: 'file',
      name: /^(?:avg_?\d\w*|final)\.pt$/,
      proof: { sure: [{ all: [{ stateDict: [] }, { beside: 'train.yaml' }] }] },
      facts: [],
      resumable: false,
    },
  ],
  pointers: [{ file: 'final.pt', holds: 'link', onDelete: 'rewrite' }],
}
