/**
 * spaCy (spacy/training/loop.py): `model-last/` and `model-best/`, which is removed and copied from it anew. The scores
 * are in `meta.json` as fractions; there is no optimizer, so nothing can be resumed from.
 */
import type { Finding, Meta, MetaValue } from '../../../checkpoint.js'
import { valueIn, type Unit } from '../engine/unit-paths.js'
import type { LayoutSpec } from '../spec.js'

export const spacy: LayoutSpec = {
  id: 'spacy',
  title: 'spaCy',
  looks: 'model-last/ and model-best/ with meta.json and config.cfg',
  best: /^model-best$/,
  forms: [
    {
      kind: 'folder',
      name: /^model-(?:last|best)$|-model$|^model$/,
      below: /^[a-z_]+$/,
      proof: {
        sure: [{ all: [{ json: ['spacy_version'], of: 'meta.json' }, { file: 'config.cfg' }] }],
        likely: [{ all: [{ file: 'meta.json' }, { file: 'config.cfg' }, { file: 'vocab/' }] }],
      },
      whole: {
        needs: [{ any: [/^vocab\/$/, /^tokenizer$/], reason: 'neither vocab nor tokenizer is there' }],
        check: lostStrings,
      },
      facts: [{ from: 'json', file: 'meta.json', pick: scores }],
      files: [{ name: /^[a-z_0-9]+\/model$/, role: 'weights' }],
      resumable: false,
    },
  ],
}

function scores(content: Meta): Meta {
  const performance = valueIn(content, 'performance')
  const facts = performance instanceof Map ? [...(performance as Meta)] : []
  return new Map(facts.filter((pair): pair is [string, MetaValue] => typeof pair[1] === 'number'))
}

/** Of a vocabulary nothing else is needed (spacy/vocab.pyx, `from_disk`); which languages have no tokenizer of their own, no file tells. */
function lostStrings({ entries }: Unit): readonly Finding[] {
  const names = new Set(entries.map(({ name }) => name))
  const file = 'vocab/strings.json'
  return names.has('vocab') && !names.has(file) ? [{ grade: 'partial', file, reason: 'not there' }] : []
}
