/**
 * Ray Tune and Ray Train. Tune (ray/train/_internal/checkpoint_manager.py): in each trial's folder
 * `checkpoint_<6 digits>/`, counted from 0, with what the script saved, and `result.json`, a JSON line a report that names
 * the checkpoint's folder (`checkpoint_dir_name`; null where there was none) and has the metrics. Of a Trainable that is a
 * class the lines name none: what belongs to which is in the experiment's state alone, which also says by what it judges.
 * Train since version 2 (ray/train/v2/_internal/execution/checkpoint/checkpoint_manager.py):
 * `checkpoint_<date>_<time>/` and `checkpoint_manager_snapshot.json`, which names those that it keeps, oldest first. What is
 * nested in a report it calls by names with slashes (ray/_private/dict.py, `flatten_dict`), also where it judges by it.
 */
import { basename } from 'node:path'
import type { Meta, MetaValue } from '../../../checkpoint.js'
import { flatten } from '../../meta/index.js'
import { valueIn } from '../engine/unit-paths.js'
import type { Fact, FactSource, FileRule, LayoutSpec, Unit } from '../spec.js'
import { holdsOptimizer, optimizerFacts } from './optimizer-paths.js'
import { trialState } from './ray-trial-state.js'

/** What Ray adds to each report (ray/tune/result.py). */
const bookkeeping =
  /^(time_\w+|done|should_checkpoint|trial_id|date|pid|hostname|node_ip|config|iterations_since_restore|checkpoint_dir_name|experiment_tag|training_iteration|episodes_total|timesteps_total|auto-filled-metrics)$/

/** Of what was saved, the file of torch: whether an optimizer's state is in it. */
const saved: FactSource = { from: 'torch', file: /\.(pt|pth|ckpt)$/, has: optimizerFacts, lazy: true }

/** Several files have their own roles, which nothing here tells. */
function holdsMore({ entries }: Unit, facts: Meta): boolean | undefined {
  const parameters = entries.filter(({ name }) => files.some((rule) => rule.name.test(name)))
  return parameters.length === 1 ? holdsOptimizer(facts) : undefined
}

const files: readonly FileRule[] = [{ name: /\.(pt|pth|ckpt|safetensors|bin|h5|keras|pkl|zip)$/, role: 'all' }]

export const rayTune: LayoutSpec = {
  id: 'ray-tune',
  title: 'Ray Tune',
  looks: '<trial>/checkpoint_<6 digits>/ with result.json, checkpoint_<date>_<time>/ of Ray Train',
  forms: [
    {
      kind: 'folder',
      name: /^checkpoint_(?<save>\d{6})$/,
      called: { save: '#save' },
      proof: {
        sure: [
          { all: [{ beside: 'result.json' }, { beside: 'params.json' }] },
          { all: [{ beside: 'result.json' }, { beside: 'progress.csv' }] },
        ],
        typical: /^checkpoint_\d{6}$/,
      },
      facts: [
        { from: 'name' },
        {
          from: 'jsonl',
          beside: 'result.json',
          by: 'name',
          column: 'checkpoint_dir_name',
          leave: bookkeeping,
          called: { timestamp: 'unixtime' },
          between: '/',
        },
        { from: 'json', beside: '../experiment_state-*.json', pick: ofTrial, lazy: true },
        saved,
      ],
      files,
    },
    {
      kind: 'folder',
      name: /^checkpoint_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d+$/,
      proof: {
        sure: [{ beside: 'checkpoint_manager_snapshot.json' }],
        typical: /^checkpoint_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.\d{6}$/,
      },
      facts: [{ from: 'json', beside: 'checkpoint_manager_snapshot.json', pick: ofSnapshot, lazy: true }, saved],
      files,
    },
  ],
  holdsMore,
  needs: (there) => textsOf(there, neededBy),
  stillNamed: (there) => textsOf(there, namedBy),
  namedBy: (facts) => {
    const [name, metric] = [facts.get('#best'), facts.get('#by')]
    if (typeof name !== 'string' || typeof metric !== 'string') return []
    return [{ label: 'the best of its trial in experiment_state', name, purpose: 'best', metric }]
  },
  judge: (facts) => {
    const by = facts.get('#by')
    return typeof by === 'string' ? [[by, facts.get('#order') === 'min' ? 'min' : 'max']] : []
  },
}

function textsOf(there: readonly Fact[], textOf: (fact: Fact) => string | null): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const fact of there) {
    const text = textOf(fact)
    if (text !== null) texts.set(fact.name, text)
  }
  return texts
}

function neededBy({ facts }: Fact): string | null {
  // `_assert_checkpoints_exist`: with one of them gone, the run cannot be started again at all.
  if (facts.get('#isInSnapshot') === true)
    return 'checkpoint_manager_snapshot.json names it, and Ray Train does not go on without it'
  return facts.get('#isLatest') === true ? 'Tuner.restore() goes on from it' : null
}

/** Its own rotation passes over what is gone (ray/train/_internal/storage.py, `_delete_fs_path`). */
function namedBy({ facts }: Fact): string | null {
  return facts.get('#isKept') === true ? 'experiment_state-*.json: ResultGrid lists it among best_checkpoints' : null
}

/** `checkpoint_results` are in the order of their saves, or of their scores where `num_to_keep` goes by one. */
function ofSnapshot(content: Meta, unit: Unit): Meta {
  const results = valueIn(content, 'checkpoint_results')
  const own = (Array.isArray(results) ? (results as readonly MetaValue[]) : []).find(
    (one) => valueIn(one, 'checkpoint_dir_name') === unit.name,
  )
  const metrics = valueIn(own ?? null, 'metrics')
  return new Map<string, MetaValue>([
    ...flatten(metrics ?? null, '/'),
    ['#save', timeIn(unit.name)],
    ['#isInSnapshot', own !== undefined],
  ])
}

/** Digits of the local time that its name is, as a number that grows with it: the moment itself it does not tell. */
function timeIn(name: string): number {
  return Number(name.replace(/\D/g, '').slice(0, 20)) / 1e6
}

/** Of the trial in whose folder it lies. */
function ofTrial(content: Meta, unit: Unit): Meta {
  const state = trialState(content, basename(unit.folder.path))
  if (state === null) return new Map()
  const { by, order, metrics, latest } = state
  const own = metrics.get(unit.name) ?? new Map<string, MetaValue>()
  const reported = [...own].filter(([key]) => !bookkeeping.test(key) && key !== 'timestamp')
  const time = own.get('timestamp')
  return new Map<string, MetaValue>([
    ...flatten(new Map(reported), '/'),
    ...(time === undefined ? [] : ([['unixtime', time]] as const)),
    ['#isLatest', unit.name === latest],
    ['#isKept', metrics.has(unit.name)],
    ...(by === null
      ? []
      : ([
          ['#by', by],
          ['#order', order],
          ['#best', [...metrics.keys()].at(-1) ?? null],
        ] as const)),
  ])
}
