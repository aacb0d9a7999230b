/**
 * NeMo's distributed checkpoints (nemo/utils/callbacks/nemo_model_checkpoint.py, nemo/lightning/pytorch/callbacks/
 * model_checkpoint.py): a folder named after what was monitored, `<name>--val_loss=2.10-step=1000-consumed_samples=
 * 128000.0`, `-last` behind the newest; in NeMo 2 with `weights/` and `context/`, before with the shards right in it and
 * `metadata.json`, which is written last. `<folder>-unfinished` beside it marks one that is being written, and NeMo
 * removes both at its next start. The `.ckpt` files of NeMo 1 are Lightning's.
 */
import type { OwnStart, Standing } from '../layout.js'
import type { Fact, Form, Has, LayoutSpec } from '../spec.js'
import { resumeKeysIn } from './dcp-keys.js'

/** NeMo 2 puts both into any folder that it saves, whatever that is called. */
const weightsAndContext: Has = { all: [{ file: 'weights/' }, { file: 'context/' }] }

const saved: Omit<Form, 'name' | 'proof'> = {
  kind: 'folder',
  below: /^weights$/,
  whole: {
    marker: '{name}-unfinished',
    needs: [
      {
        any: ['metadata.json', '.metadata', 'weights/metadata.json', 'weights/.metadata'],
        reason: 'metadata.json, which is written last, is not there',
      },
    ],
  },
  facts: [
    { from: 'name', pairs: true },
    // The names that NeMo 2 gives by itself have no step.
    {
      from: 'torch',
      file: /^(?:weights\/)?common\.pt$/,
      take: { step: 'global_step', epoch: 'epoch' },
      lazy: true,
      later: 'step',
    },
    { from: 'text', file: /^(?:weights\/)?\.metadata$/, lazy: true, pick: resumeKeysIn },
  ],
  // At the end of a training NeMo saves the model alone, unless `save_optim_on_train_end` is set.
  resumable: (_, facts) => facts.get('#resumable') !== false,
  files: [
    { name: /^(weights|model_weights)\/$/, role: 'all' },
    { name: /\.distcp$/, role: 'all' },
    { name: /^common\.pt$/, role: 'loop', optional: true },
    { name: /^(\.metadata|metadata\.json)$/, role: 'index', unlisted: true },
  ],
}

export const nemo: LayoutSpec = {
  id: 'nemo',
  title: 'NeMo',
  looks: '<name>--<metric>=<value>-step=<N>-consumed_samples=<N>/ with weights/ or metadata.json',
  resumesFrom,
  needs: onlyLast,
  forms: [
    {
      ...saved,
      name: /-consumed_samples=\d/,
      proof: {
        sure: [{ file: 'metadata.json' }, { file: /^weights\/(metadata\.json|\.metadata)$/ }],
        likely: [{ file: 'weights/' }, { file: 'model_weights/' }, { file: /\.distcp$/ }],
        typical: /-consumed_samples=/,
      },
    },
    { ...saved, name: /^/, proof: { sure: [weightsAndContext] } },
  ],
}

/**
 * `resume_if_exists` (nemo/utils/exp_manager.py, nemo/lightning/resume.py): the one folder whose name ends in `last`, and
 * an error where there are several; none ends the search, and the training begins anew.
 */
function resumesFrom(there: readonly Standing[]): readonly OwnStart[] {
  const last = there.filter(({ name, kind }) => kind === 'directory' && isLast(name)).map(({ name }) => name)
  const [first = null] = last
  const isOne = last.length < 2
  return [{ by: 'resume_if_exists', takes: isOne ? first : null, stumblesOver: isOne ? [] : last }]
}

function onlyLast(there: readonly Fact[]): ReadonlyMap<string, string> {
  const last = there.filter(({ name }) => isLast(name))
  return new Map(last.length === 1 ? last.map(({ name }) => [name, 'NeMo resumes from -last alone']) : [])
}

function isLast(name: string): boolean {
  return name.endsWith('-last')
}
