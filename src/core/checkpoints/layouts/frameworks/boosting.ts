/**
 * Boosted trees: XGBoost's TrainingCheckPoint (xgboost/callback.py), `<name>_<N>.ubj` or `.json`, N the last round
 * counting from 0; LightGBM's `<model>.snapshot_iter_<N>`, N rounds done, and the model itself. They hold trees, no
 * tensors, and no metric.
 */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import type { LayoutSpec, Picked, Proof } from '../spec.js'

const learner: Proof = {
  sure: [
    { json: [['learner', 'gradient_booster']] },
    { says: 'is UBJSON of a learner', test: async (unit, io) => isUbjson((await io.look(unit.path)).head) },
  ],
}

export const xgboost: LayoutSpec = {
  id: 'xgboost',
  title: 'XGBoost',
  looks: '<name>_<N>.ubj, <name>.json',
  forms: [
    {
      kind: 'file',
      name: /^\w+_(?<step>\d+)\.(?:ubj|json)$/,
      proof: learner,
      facts: [{ from: 'name', add: { step: 1 } }],
    },
    { kind: 'file', name: /^\w+\.ubj$|^(?:final|model|best|xgb\w*|booster)\.json$/, proof: learner, facts: [] },
  ],
}

export const lightgbm: LayoutSpec = {
  id: 'lightgbm',
  title: 'LightGBM',
  looks: '<model>.snapshot_iter_<N>, <model>.txt',
  forms: [
    {
      kind: 'file',
      name: /\.snapshot_iter_\d+$|^(?:model|\w*lgb\w*|LightGBM_model)\.txt$/,
      proof: {
        sure: [
          {
            says: "begins as LightGBM's text of trees",
            test: async (unit, io) => beginsWith((await io.look(unit.path)).head, 'tree\nversion='),
          },
        ],
      },
      facts: [{ from: 'text', pick: roundsDone, limit: 256 << 20 }],
    },
  ],
}

/** `{`, a key's length as a 64-bit integer, `learner` (UBJSON 12, as XGBoost writes it). */
function isUbjson(head: Uint8Array): boolean {
  return head[0] === 0x7b && head[1] === 0x4c && new TextDecoder('latin1').decode(head.subarray(10, 17)) === 'learner'
}

function beginsWith(head: Uint8Array, text: string): boolean {
  return new TextDecoder('latin1').decode(head.subarray(0, text.length)) === text
}

/** A tree a class and round; `pandas_categorical` is the last section of a file that is whole. */
function roundsDone(content: Meta): Picked {
  const text = content.get('text')
  if (typeof text !== 'string') return { meta: [] }
  const trees = text.match(/^Tree=/gm)?.length ?? 0
  const each = Number(/^num_tree_per_iteration=(\d+)$/m.exec(text)?.[1] ?? 1)
  const meta: [string, MetaValue][] = [['step', Math.floor(trees / each)]]
  if (/^pandas_categorical:/m.test(text) || /^end of parameters$/m.test(text)) return { meta }
  return { meta, findings: [{ grade: 'corrupt', reason: 'ends within the trees: the last sections are not there' }] }
}
