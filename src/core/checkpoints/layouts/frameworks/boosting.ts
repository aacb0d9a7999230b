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
    {
      kind: 'file',
      name: /^\w+\.ubj$|^(?:final|model|best|xgb\w*|booster)\.json$/,
      proof: learner,
      facts: [{ from: 'bytes', tell: roundsIn, limit: 256 << 20 }],
    },
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

/**
 * Where each round's trees begin is a list with one number more than there are rounds, in JSON and, after its length, in
 * UBJSON (xgboost/src/gbm/gbtree_model.cc, `iteration_indptr`). A linear model has none.
 */
function roundsIn(bytes: Uint8Array): Meta {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const key = 'iteration_indptr'
  const at = buffer.indexOf(key)
  if (at === -1) return new Map()
  const json = /^"\s*:\s*\[([\d\s,]*)\]/.exec(buffer.toString('latin1', at + key.length, at + (1 << 20)))?.[1]
  const count = json === undefined ? countOfUbjson(buffer.subarray(at + key.length)) : json.split(',').length
  return new Map(count > 0 && Number.isSafeInteger(count) ? [['step', count - 1]] : [])
}

/** Of an array with its type, or without, and its length as a 64-bit integer; 0 for anything else. */
function countOfUbjson(rest: Buffer): number {
  const head = /^\[(?:\$.)?#L/.exec(rest.toString('latin1', 0, 5))?.[0].length
  return head === undefined || rest.length < head + 8 ? 0 : Number(rest.readBigInt64BE(head))
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
