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
      below: /^[\w-]+$/,
      proof: {
        sure: [{ all: [{ json: ['spacy_version'], of: 'meta.json' }, { file: 'config.cfg' }] }],
        likely: [{ all: [{ file: 'meta.json' }, { file: 'config.cfg' }, { file: 'vocab/' }] }],
      },
      whole: {
        needs: [{ any: [/^vocab\/$/, /^tokenizer$/], reason: 'neither vocab nor tokenizer is there' }],
        check: (unit, facts) => [...lostStrings(unit), ...lostParts(unit, facts)],
      },
      facts: [
        { from: 'json', file: 'meta.json', pick: scores },
        { from: 'text', file: 'config.cfg', pick: partsIn, lazy: true, limit: 1 << 20 },
      ],
      files: [{ name: /^[\w-]+\/model$/, role: 'weights' }],
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

/**
 * Files that `config.cfg` tells of: of spaCy's own tokenizer, and the weights of each part that has a model
 * (spacy/language.py, `from_disk`).
 */
function partsIn(content: Meta): Meta {
  const text = content.get('text')
  if (typeof text !== 'string') return new Map()
  const models = [...text.matchAll(/^\[components\.([\w-]+)\.model\]\s*$/gm)].map(([, name = '']) => `${name}/model`)
  const isOwn = /^\[nlp\.tokenizer\]\s*\n@tokenizers\s*=\s*"spacy\.Tokenizer\.v1"\s*$/m.test(text)
  return new Map([['#parts', [...(isOwn ? ['tokenizer'] : []), ...models]]])
}

function lostParts({ entries }: Unit, facts: Meta): readonly Finding[] {
  const parts = facts.get('#parts')
  const names = new Set(entries.map(({ name }) => name))
  const lost = (Array.isArray(parts) ? (parts as readonly MetaValue[]) : []).filter(
    (part): part is string => typeof part === 'string' && !names.has(part),
  )
  return lost.map((file) => ({ grade: 'partial', file, reason: 'not there; config.cfg tells of it' }))
}
