/**
 * OpenMMLab: mmengine's CheckpointHook and mmcv 1.x (mmengine/hooks/checkpoint_hook.py, runner/runner.py): files
 * `epoch_<N>.pth` or `iter_<N>.pth`, both counting what is done, and `best_<metric>_epoch_<N>.pth` without optimizer.
 * `last_checkpoint` holds the path as the training saw it; mmcv has a link `latest.pth`, or a copy. The metrics are rows
 * of `<timestamp>/vis_data/scalars.json`: that of a validation has the epoch as its `step` where epochs are counted, else
 * the iteration; that of training always the iteration, beside `epoch` and `iter`. Those of mmcv are in
 * `<timestamp>.log.json`, and say with `mode` what they are.
 */
import { basename } from 'node:path'
import type { Meta, Pointer } from '../../../checkpoint.js'
import type { FactSource, LayoutSpec } from '../spec.js'

const inside: FactSource = {
  from: 'torch',
  take: {
    step: ['meta', 'iter'],
    epoch: ['meta', 'epoch'],
    '#best': ['message_hub', 'runtime_info', 'best_ckpt'],
    '#best score': ['message_hub', 'runtime_info', 'best_score'],
    '#mmcv best': ['meta', 'hook_msgs', 'best_ckpt'],
    '#mmcv best score': ['meta', 'hook_msgs', 'best_score'],
  },
  has: { '#optimizer': 'optimizer' },
}

const leave = /^(mode|epoch|iter|lr|data_time|time|memory|eta)$/

/** Joined by the epoch, or by the iteration, that a validation's row has as its `step`. */
const validations = {
  from: 'jsonl',
  beside: '*/vis_data/scalars.json',
  column: 'step',
  leave,
  // An iteration run writes 0 into every row unless told otherwise (LoggerHook's `log_metric_by_epoch`).
  rows: (row: Meta): boolean => !row.has('iter') && !row.has('lr') && row.get('step') !== 0,
} as const

/** Likewise, of mmcv 1.x (mmcv/runner/hooks/logger/text.py). */
const mmcvValidations = {
  from: 'jsonl',
  beside: '*.log.json',
  leave,
  rows: (row: Meta): boolean => row.get('mode') === 'val',
} as const

/**
 * The file that `save_best` wrote last. Its name has the metric, `/` as `_` (`_save_best_checkpoint`): `coco/bbox_mAP` in
 * `best_coco_bbox_mAP_epoch_2.pth`.
 */
function namedBest(facts: Meta): Pointer[] {
  const path = facts.get('#best') ?? facts.get('#mmcv best')
  if (typeof path !== 'string') return []
  const name = basename(path)
  const judged = /^best_(?<metric>.+)_(?:epoch|iter)_\d+\.pth$/.exec(name)?.groups?.['metric']
  const metric = [...facts.keys()].find((key) => key.replaceAll('/', '_') === judged)
  const value = facts.get('#best score') ?? facts.get('#mmcv best score')
  return [
    {
      label: 'best_ckpt',
      name,
      purpose: 'best',
      ...(metric === undefined ? {} : { metric }),
      ...(typeof value === 'number' ? { value } : {}),
    },
  ]
}

const byEpoch = [
  { ...validations, by: 'epoch' },
  { ...mmcvValidations, by: 'epoch' },
] as const
const byStep = [
  { ...validations, by: 'step' },
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
      facts: [...byEpoch, inside, { from: 'name' }],
      resumable: (_, facts) => facts.get('#optimizer') === true,
    },
    {
      kind: 'file',
      name: /^(?:best_.+_)?iter_(?<step>\d+)\.pth$/,
      proof: { sure: [{ torch: [['meta', 'iter'], 'state_dict'] }, { torch: ['message_hub', 'state_dict'] }] },
      facts: [...byStep, inside, { from: 'name' }],
      resumable: (_, facts) => facts.get('#optimizer') === true,
    },
    {
      // A name of the user's own (`filename_tmpl`), and mmcv's `latest.pth`.
      kind: 'file',
      name: /\.pth$/,
      proof: { sure: [{ torch: [['meta', 'iter'], ['meta', 'epoch'], 'state_dict'] }] },
      facts: [inside, { ...validations, by: 'epoch' }],
      resumable: (_, facts) => facts.get('#optimizer') === true,
    },
  ],
  namedBy: namedBest,
  // Where the file system has no links, mmcv copies.
  copies: { names: /^latest\.pth$/, by: ['file', 'content'] },
  pointers: [
    { file: 'last_checkpoint', holds: 'path', purpose: 'resume', onDelete: 'rewrite' },
    { file: 'latest.pth', holds: 'link', purpose: 'resume', onDelete: 'rewrite' },
  ],
}
