/**
 * Boosted trees: XGBoost's TrainingCheckPoint (xgboost/callback.py), `<name>_<N>.ubj` or `.json`, N the last round
 * counting from 0; LightGBM's `<model>.snapshot_iter_<N>`, N rounds done, and the model itself. They hold trees, no
 * tensors, and no metric.
 */
import type { Checkpoint, Finding, Meta, MetaValue } from '../../../checkpoint.js'
import type { FactSource, FileLook, Has, LayoutSpec, Picked, Proof, Question } from '../spec.js'
import { byteText } from '../../../formats/text/text.js'

const learner: Proof = {
  sure: [
    { says: 'is JSON of a learner', test: async (unit, io) => isJson(await (await io.look(unit.path)).head()) },
    { says: 'is UBJSON of a learner', test: async (unit, io) => isUbjson(await (await io.look(unit.path)).head()) },
    { says: 'is a pickle of a Booster', test: async (unit, io) => isPickle(await (await io.look(unit.path)).head()) },
    {
      says: 'names an objective and a booster, as the format before version 2.1 did',
      test: async (unit, io) => isOldBinary(await (await io.look(unit.path)).head()),
    },
  ],
}

const inside: FactSource = { from: 'look', tell: async (look) => roundsOf(look) }

export const xgboost: LayoutSpec = {
  id: 'xgboost',
  title: 'XGBoost',
  looks: '<name>_<N>.ubj, .json, .pkl or .deprecated, <name>.json or .model',
  forms: [
    {
      kind: 'file',
      name: /^[\w.=-]+_(?<step>\d+)\.(?:ubj|json|pkl|deprecated)$/,
      proof: learner,
      // A script of one's own counts as it likes; only TrainingCheckPoint's number is a round.
      facts: [inside, { from: 'name', add: { step: 1 } }],
    },
    {
      kind: 'file',
      // A `.json` may be anything, and there may be thousands: only one with such a name is opened.
      name: /^[\w-]+\.(?:ubj|deprecated|model)$|^(?:[\w-]*(?:final|model|best|last|xgb|boost|bst|clf|classifier|regressor|ranker|gbdt|gbm|trees)[\w-]*|reg)\.json$/,
      proof: learner,
      facts: [inside],
    },
  ],
}

const roundsInText: readonly FactSource[] = [{ from: 'text', pick: roundsDone, limit: 256 << 20 }]

const trees: Has = {
  says: "begins as LightGBM's text of trees",
  test: async (unit, io) => beginsWith(await (await io.look(unit.path)).head(), 'tree\nversion='),
}

/** One of a handful may be a model; of a hundred all are notes, labels or transcripts. */
const fewTexts = 4
const freeText =
  /^(?!(?:.*[\W_\d])?(?:latest|checkpoint|readme|licen[cs]e|copying|notice|authors|contributors|credits|changes|changelog|history|news|todo|notes?|install|usage|requirements|constraints|cmakelists|top_level|entry_points|sources|dependency_links|robots|vocab|merges|tokens|labels?|classes|synset|names|words|chars|train|test|val|valid|dev|log|logs|stdout|stderr|out|output|train_log|label_encoder|metrics|results?|scores?|eval|hparams|args|config|params|version|index|list|files?)(?:[\W_\d]|$))[\w+=-]+\.txt$/i

const named =
  /\.snapshot_iter_\d+$|^[\w.-]*(?:model|lgb|lightgbm|gbm|booster)[\w.-]*\.(?:txt|model|lgb)$|\.(?:lgb|lgbm|gbm|lightgbm|model)$/i
const namedText = /(?:^|[\W_])(?:iter|round|fold|trees|best|final)[\W_]?\d*\.txt$/i

export const lightgbm: LayoutSpec = {
  id: 'lightgbm',
  title: 'LightGBM',
  looks: '<model>.snapshot_iter_<N>, <model>.txt',
  forms: [
    {
      kind: 'file',
      name: named,
      proof: { sure: [trees] },
      facts: roundsInText,
    },
    {
      kind: 'file',
      // A `.txt` may be anything, and there may be thousands: only one with such a name is opened.
      name: namedText,
      proof: { sure: [trees] },
      facts: roundsInText,
    },
    {
      kind: 'file',
      // `output_model` may be any name; its snapshots tell what it is.
      name: /^[\w.+=-]+\.(?:txt|bin|dat|out)$/i,
      proof: { sure: [{ all: [{ besideWithEnd: /\.snapshot_iter_\d+$/ }, trees] }] },
      facts: roundsInText,
    },
    {
      kind: 'file',
      // Alone it is opened where few are, under a name that nothing else is known by.
      name: freeText,
      proof: { sure: [{ all: [{ atMost: fewTexts, named: /\.txt$/i }, trees] }] },
      facts: roundsInText,
    },
  ],
  copies: { names: /^(?!.*\.snapshot_iter_\d+$)/, by: ['content'] },
  together: withoutOtherModels,
}

/**
 * A model by a name that tells nothing is a training's last, where it is the only one, or a copy: `credit.txt` and
 * `churn.txt` are of two.
 */
function withoutOtherModels(checkpoints: readonly Checkpoint[], beside: readonly string[]): Checkpoint[] {
  if (checkpoints.length < 2) return [...checkpoints]
  const tells = (name: string): boolean =>
    named.test(name) || namedText.test(name) || beside.some((other) => other.startsWith(`${name}.snapshot_iter_`))
  const copied = new Set(
    checkpoints.flatMap(({ name, sameAs }) => (tells(name) && sameAs !== undefined ? [sameAs] : [])),
  )
  return checkpoints.filter(({ name, sameAs = '' }) => tells(name) || tells(sameAs) || copied.has(name))
}

/**
 * Where each round's trees begin is a list with one number more than there are rounds, in JSON and, after its length, in
 * UBJSON (xgboost/src/gbm/gbtree_model.cc, `iteration_indptr`). A linear model has none.
 */
async function roundsOf(look: FileLook): Promise<Picked> {
  const [step, isCut] = await look.answer(rounds)
  return { meta: step === null ? [] : [['step', step]], findings: isCut ? [cutModel] : [] }
}

/** Keys are sorted, and the list stands before all trees. */
const lengthOfStart = 4 << 20

/** The number of rounds, and whether the end is not there. */
const rounds: Question<readonly [number | null, boolean]> = {
  text: 'rounds of xgboost',
  fits: (value): value is readonly [number | null, boolean] => Array.isArray(value),
  ask: async ({ source }) => {
    const { byteLength } = source
    const start = Buffer.from(await source.read(0, Math.min(lengthOfStart, byteLength)))
    const end = Buffer.from(await source.read(Math.max(0, byteLength - 16), Math.min(16, byteLength)))
    return [roundsIn(start), start[0] === brace && !/\}\s*$/.test(end.toString('latin1'))]
  },
}

function roundsIn(start: Buffer): number | null {
  const key = 'iteration_indptr'
  const at = start.indexOf(key)
  if (at === -1) return null
  const json = /^"\s*:\s*\[([\d\s,]*)\]/.exec(start.toString('latin1', at + key.length))?.[1]
  const count = json === undefined ? countOfUbjson(start.subarray(at + key.length)) : json.split(',').length
  return count > 0 && Number.isSafeInteger(count) ? count - 1 : null
}

/** What JSON and UBJSON begin with, and the older binary format does not. */
const brace = 0x7b

const cutModel: Finding = { grade: 'corrupt', reason: 'ends early: the model is an object, and its end is not there' }

/** Of an array with its type, or without, and its length as a 64-bit integer; 0 for anything else. */
function countOfUbjson(rest: Buffer): number {
  const head = /^\[(?:\$.)?#L/.exec(rest.toString('latin1', 0, 5))?.[0].length
  return head === undefined || rest.length < head + 8 ? 0 : Number(rest.readBigInt64BE(head))
}

/** Keys are sorted, and `learner` is the first. */
function isJson(head: Uint8Array): boolean {
  return /^\s*\{\s*"learner"\s*:\s*\{/.test(byteText(head))
}

/** TrainingCheckPoint with `as_pickle`: the class is named before all else. */
function isPickle(head: Uint8Array): boolean {
  return head[0] === 0x80 && /xgboost\.core[^]{1,8}Booster/.test(byteText(head.subarray(0, 64)))
}

function isOldBinary(head: Uint8Array): boolean {
  const text = byteText(head)
  return (
    /(binary|reg|multi|rank|count|survival):\w+/.test(text) &&
    /gbtree|gblinear|dart/.test(text) &&
    !/^[\s{<#\x80]/.test(text)
  )
}

/** `{`, a key's length as a 64-bit integer, `learner` (UBJSON 12, as XGBoost writes it). */
function isUbjson(head: Uint8Array): boolean {
  return head[0] === 0x7b && head[1] === 0x4c && byteText(head.subarray(10, 17)) === 'learner'
}

function beginsWith(head: Uint8Array, text: string): boolean {
  return byteText(head.subarray(0, text.length)) === text
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
