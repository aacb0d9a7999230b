/**
 * PyTorch-Ignite's Checkpoint handler (ignite/handlers/checkpoint.py): `[<prefix>_]checkpoint_<N>.pt` with one state
 * dict for each object that is saved; with a single object its bare state dict under its own name. Behind N, or in its
 * place, there may be a score with four decimals, `_<name>=<value>`: a higher one is better, so losses are negated. N is
 * the trainer's iteration, or its epoch where a `global_step_transform` says so: the trainer's state tells which, where
 * it is saved too; a score comes from an evaluation at the end of an epoch.
 */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { valueIn, type Unit } from '../engine/unit-paths.js'
import type { FactFile, LayoutSpec } from '../spec.js'

const inside: FactFile = {
  from: 'torch',
  take: { '#iteration': ['trainer', 'iteration'], '#length': ['trainer', 'epoch_length'] },
  has: { '#optimizer': ['*', 'param_groups'] },
  pick: factsOf,
}

export const ignite: LayoutSpec = {
  id: 'ignite',
  title: 'PyTorch-Ignite',
  looks: '<prefix>_checkpoint_<N>.pt, <prefix>_model_<N>_<score>=<value>.pt',
  forms: [
    {
      kind: 'file',
      name: /^(?:\w+?_)?checkpoint_(?<number>\d+)\.pt$/,
      proof: {
        sure: [{ torch: [['trainer', 'epoch_length']] }, { torch: ['model', 'optimizer', 'trainer'] }],
      },
      facts: [inside],
    },
    {
      kind: 'file',
      name: /^\w+?_(?:(?<number>\d+)_)?(?:(?<score>(?!\w*_\d+_)[A-Za-z]\w*)=)?(?<value>-?\d+\.\d{4})\.pt$/,
      proof: { sure: [{ stateDict: [] }, { stateDictIn: 'any key' }] },
      facts: [inside],
      resumable: (_, facts) => facts.get('#optimizer') === true,
    },
  ],
  judge: (facts) => {
    const score = facts.get('#score')
    return typeof score === 'string' ? [[score, 'max']] : []
  },
}

/**
 * Without a number between them nothing tells what was saved from the name of its score; so what it mostly is called does:
 * `best_model_val_acc=0.7500.pt`.
 */
const saved = /^(?:\w*?_)?(?:model|net|network|weights|encoder|decoder|generator|discriminator|ema)_(?=[A-Za-z])/

function factsOf(content: Meta, { named }: Unit): Meta {
  const facts = new Map<string, MetaValue>()
  const [number, value] = [Number(named.get('number') ?? NaN), Number(named.get('value') ?? NaN)]
  const iteration = valueIn(content, ['trainer', 'iteration'])
  const length = valueIn(content, ['trainer', 'epoch_length'])
  if (typeof iteration === 'number') facts.set('step', iteration)
  if (!Number.isNaN(number)) {
    if (typeof iteration !== 'number') facts.set(Number.isNaN(value) ? 'step' : 'epoch', number)
    else if (typeof length === 'number' && number !== iteration && number * length === iteration)
      facts.set('epoch', number)
  }
  if (!Number.isNaN(value)) {
    const score = named.get('score')?.replace(saved, '') ?? 'score'
    facts.set(score, value)
    facts.set('#score', score)
  }
  return facts
}
