/**
 * OpenMMLab: mmengine's CheckpointHook and mmcv 1.x (mmengine/hooks/checkpoint_hook.py, runner/runner.py): files
 * `epoch_<N>.pth` or `iter_<N>.pth`, both counting what is done, and `best_<metric>_epoch_<N>.pth` without optimizer.
 * `last_checkpoint` holds the path as the training saw it; mmcv has a link `latest.pth`, or a copy. The metrics are rows
 * of `<timestamp>/vis_data/scalars.json`: that of a validation has the epoch as its `step` where epochs are counted, else
 * the iteration; that of training always the iteration, beside `epoch` and `iter`. Those of mmcv are in
 * `<timestamp>.log.json`, and say with `mode` what they are.
 */
import { basename } from 'node:path'
import { isMeta, type Meta, type MetaValue, type Pointer } from '../../../checkpoint.js'
import { lastPart } from '../engine/pointers.js'
import { hasBeside } from '../engine/names-beside.js'
import { valueIn } from '../engine/unit-paths.js'
import { toFinite } from '../finite-number.js'
import type { Fact, FactSource, LayoutSpec, Unit } from '../spec.js'
import { metricsAmong, notMetrics, validationsIn } from './mmengine-validations.js'

const runtime = ['message_hub', 'runtime_info'] as const

const inside: readonly FactSource[] = [
  {
    from: 'torch',
    take: {
      step: ['meta', 'iter'],
      epoch: ['meta', 'epoch'],
      '#mmcv best': ['meta', 'hook_msgs', 'best_ckpt'],
      '#mmcv best score': ['meta', 'hook_msgs', 'best_score'],
    },
    has: { '#optimizer': 'optimizer' },
    spread: [runtime],
    leave: /^/,
    pick: (content, unit) => new Map([...bestsIn(content), ...lastElsewhere(content, unit)]),
  },
  { from: 'look', tell: validationsIn },
  { from: 'run', tell: metricsAmong(countOf) },
]

/** The name of what was saved last, where no `last_checkpoint` lies beside it. */
function lastElsewhere(content: Meta, { folder }: Unit): Meta {
  const last = valueIn(content, [...runtime, 'last_ckpt'])
  if (typeof last !== 'string' || hasBeside(folder, 'last_checkpoint')) return new Map()
  return new Map([['#elsewhere', lastPart(last)]])
}

/** What `save_best` holds for the best: with one metric `best_ckpt`, with several `best_ckpt_<metric>` of each. */
function bestsIn(content: Meta): Meta {
  const hub = content.get(runtime[0])
  const info = isMeta(hub) ? hub.get(runtime[1]) : undefined
  const bests = [...(isMeta(info) ? info : [])].flatMap(([key, path]): MetaValue[] => {
    const metric = /^best_ckpt(?<metric>_.+)?$/.exec(key)
    if (metric === null || typeof path !== 'string' || !isMeta(info)) return []
    const own = metric.groups?.['metric'] ?? ''
    return [[path, info.get(`best_score${own}`) ?? null, own.slice(1)]]
  })
  return new Map(bests.length === 0 ? [] : [['#bests', bests]])
}

/** Joined by the epoch, or by the iteration, that a validation's row has as its `step`. */
const validations = {
  from: 'jsonl',
  beside: '*/vis_data/scalars.json',
  column: 'step',
  leave: notMetrics,
  // An iteration run writes 0 into every row by default (LoggerHook's `log_metric_by_epoch`).
  rows: (row: Meta): boolean => !row.has('iter') && !row.has('lr') && row.get('step') !== 0,
} as const

/** Likewise, of mmcv 1.x (mmcv/runner/hooks/logger/text.py). */
const mmcvValidations = {
  from: 'jsonl',
  beside: '*.log.json',
  leave: notMetrics,
  rows: (row: Meta): boolean => row.get('mode') === 'val',
} as const

/**
 * The validations of an iteration run, whose rows all have the step 0: the checkpoint's is the one of its iteration,
 * counted by how far apart they are.
 */
const validationsInOrder = {
  ...validations,
  by: 'step',
  rows: (row: Meta): boolean => !row.has('iter') && !row.has('lr') && row.get('step') === 0,
  isInOrder: true,
  key: (known: Meta, all: readonly Meta[]): number | null => {
    const [step, every] = [toFinite(known.get('step')), validatedEvery(all)]
    return step === null || step === 0 || every === null || step % every !== 0 ? null : step / every - 1
  },
} as const

/**
 * Iterations from one validation to the next, by how many there had been at each checkpoint; null where these leave more
 * than one number, or none: with `val_begin` the first comes later. The last iteration of all is validated too, mostly as
 * a multiple.
 */
function validatedEvery(all: readonly Meta[]): number | null {
  const bests: { readonly step: number; readonly done: number }[] = []
  let [least, most, end] = [1, Infinity, 0]
  for (const facts of all) {
    const step = toFinite(facts.get('step'))
    if (step === null || step <= 0) continue
    end = Math.max(end, step)
    const [done, before] = [toFinite(facts.get('#validations')), toFinite(facts.get('#validations before'))]
    if (done !== null && done > 0) bests.push({ step, done })
    if (before === null) continue
    least = Math.max(least, Math.floor((step - 1) / (before + 1)) + 1)
    if (before > 0) most = Math.min(most, Math.floor((step - 1) / before))
  }
  const inside = (every: number) => every >= least && every <= most
  const exact = bests.map(({ step, done }) => step / done)
  const [first] = exact
  if (first !== undefined && inside(first) && exact.every((every) => every === first)) return first
  if (least !== most) return null
  const counted = bests.every(
    ({ step, done }) => Math.floor(step / least) + (step === end && step % least > 0 ? 1 : 0) === done,
  )
  return counted ? least : null
}

/**
 * The files that `save_best` wrote last. A name has the metric, `/` as `_` (`_save_best_checkpoint`): `coco/bbox_mAP` in
 * `best_coco_bbox_mAP_epoch_2.pth`.
 */
function namedBest(facts: Meta): Pointer[] {
  const bests = facts.get('#bests')
  const mmcv = [facts.get('#mmcv best') ?? null, facts.get('#mmcv best score') ?? null, '']
  const all: readonly MetaValue[] = Array.isArray(bests) ? (bests as readonly MetaValue[]) : [mmcv]
  return all.flatMap((one) => (Array.isArray(one) ? bestOf(facts, one as readonly MetaValue[]) : []))
}

function bestOf(facts: Meta, [path, value, own]: readonly MetaValue[]): Pointer[] {
  if (typeof path !== 'string') return []
  const name = basename(path)
  const known = facts.get('#metrics')
  const metrics = [...(Array.isArray(known) ? (known as readonly MetaValue[]) : []), ...facts.keys()]
  const metric =
    typeof own === 'string' && own !== ''
      ? own
      : metrics.find((key) => typeof key === 'string' && name.startsWith(`best_${key.replaceAll('/', '_')}_`))
  return [
    {
      label: 'best_ckpt',
      name,
      purpose: 'best',
      ...(typeof metric === 'string' ? { metric } : {}),
      ...(typeof value === 'number' ? { value } : {}),
    },
  ]
}

/**
 * With `out_dir` of CheckpointHook `last_checkpoint` lies in another folder, and names the newest: a training that is to
 * be resumed ends there when that is gone (mmengine/runner/checkpoint.py, `find_latest_checkpoint`).
 */
function namedElsewhere(there: readonly Fact[]): ReadonlyMap<string, string> {
  const own = there.filter(
    ({ name, facts }) => typeof facts.get('#elsewhere') === 'string' && facts.get('#elsewhere') === name,
  )
  const [newest] = own.toSorted((a, b) => (toFinite(b.facts.get('step')) ?? 0) - (toFinite(a.facts.get('step')) ?? 0))
  return new Map(
    newest === undefined
      ? []
      : [[newest.name, 'named by last_checkpoint in the work_dir, from which MMEngine resumes']],
  )
}

/** Undefined for a file that could not be read: it is reported as damaged. */
function holdsOptimizer(_: unknown, facts: Meta): boolean | undefined {
  const isThere = facts.get('#optimizer')
  return typeof isThere === 'boolean' ? isThere : undefined
}

/** In an iteration run no epoch is counted. */
function countOf(known: Meta): number | null {
  const [epoch, step] = [toFinite(known.get('epoch')), toFinite(known.get('step'))]
  return epoch === 0 ? step : epoch
}

function isOfEpoch(facts: Meta): boolean {
  return (toFinite(facts.get('epoch')) ?? 0) > 0
}

const byEpoch = [
  { ...validations, by: 'epoch' },
  { ...mmcvValidations, by: 'epoch' },
] as const
const byStep = [
  // Where epochs are counted, a validation's row has the epoch, although the files count iterations.
  {
    ...validations,
    by: 'step',
    key: (known: Meta, all: readonly Meta[]) => (all.some(isOfEpoch) ? null : countOf(known)),
  },
  validationsInOrder,
  { ...mmcvValidations, by: 'step', column: 'iter' },
] as const

export const mmengine: LayoutSpec = {
  id: 'mmengine',
  title: 'OpenMMLab',
  looks: 'epoch_<N>.pth, iter_<N>.pth or a name of your own, with last_checkpoint',
  // Between the validations: what the training itself logged.
  history: [
    {
      from: 'jsonl',
      beside: '*/vis_data/scalars.json',
      columns: { step: 'iter', epoch: 'epoch' },
      rows: (row) => row.has('iter'),
    },
  ],
  forms: [
    {
      kind: 'file',
      name: /^(?:best_.+_)?epoch_(?<epoch>\d+)\.pth$/,
      proof: { sure: [{ torch: [['meta', 'epoch'], 'state_dict'] }, { torch: ['message_hub', 'state_dict'] }] },
      facts: [...byEpoch, ...inside, { from: 'name' }],
      resumable: holdsOptimizer,
    },
    {
      kind: 'file',
      name: /^(?:best_.+_)?iter_(?<step>\d+)\.pth$/,
      proof: { sure: [{ torch: [['meta', 'iter'], 'state_dict'] }, { torch: ['message_hub', 'state_dict'] }] },
      facts: [...byStep, ...inside, { from: 'name' }],
      resumable: holdsOptimizer,
    },
    {
      // `published_keys`: of the last and the best ones what these keys name, with the beginning of the file's checksum.
      kind: 'file',
      name: /^(?:best_.+_)?(?:epoch_(?<epoch>\d+)|iter_(?<step>\d+))-[0-9a-f]{8}\.pth$/,
      proof: {
        sure: [
          { all: [{ stateDict: ['state_dict'] }, { torch: ['meta'] }] },
          { all: [{ stateDict: ['state_dict'] }, { beside: /^(?:last_checkpoint|(?:epoch|iter)_\d+\.pth)$/ }] },
        ],
      },
      facts: [...inside, { from: 'name' }, { ...validations, by: 'step', key: countOf }, validationsInOrder],
      resumable: holdsOptimizer,
    },
    {
      // A name of the user's own (`filename_tmpl`), and mmcv's `latest.pth`.
      kind: 'file',
      name: /\.pth$/,
      proof: { sure: [{ torch: [['meta', 'iter'], ['meta', 'epoch'], 'state_dict'] }] },
      facts: [...inside, { ...validations, by: 'step', key: countOf }, validationsInOrder],
      resumable: holdsOptimizer,
    },
  ],
  namedBy: namedBest,
  needs: namedElsewhere,
  // Where the file system has no links, mmcv copies.
  copies: { names: /^latest\.pth$/, by: ['file', 'content'] },
  pointers: [
    { file: 'last_checkpoint', holds: 'path', purpose: 'resume', onDelete: 'rewrite' },
    { file: 'latest.pth', holds: 'link', purpose: 'resume', onDelete: 'rewrite' },
  ],
}
