/**
 * Ray Tune and Ray Train (ray/train/_internal/checkpoint_manager.py): in each trial's folder `checkpoint_<6 digits>/`,
 * counted from 0, with what the script saved, and `result.json`, a JSON line a report that names the checkpoint's folder
 * (`checkpoint_dir_name`; null where there was none) and has the metrics.
 */
import type { LayoutSpec } from '../spec.js'

/** What Ray adds to each report (ray/tune/result.py). */
const bookkeeping =
  /^(timestamp|time_\w+|done|should_checkpoint|trial_id|date|pid|hostname|node_ip|config|iterations_since_restore|checkpoint_dir_name|experiment_tag|training_iteration|episodes_total|timesteps_total|auto-filled-metrics)$/

export const rayTune: LayoutSpec = {
  id: 'ray-tune',
  title: 'Ray Tune',
  looks: '<trial>/checkpoint_<6 digits>/ with result.json beside it',
  forms: [
    {
      kind: 'folder',
      name: /^checkpoint_(?<number>\d{6})$/,
      proof: {
        sure: [
          { all: [{ beside: 'result.json' }, { beside: 'params.json' }] },
          { all: [{ beside: 'result.json' }, { beside: 'progress.csv' }] },
        ],
        typical: /^checkpoint_\d{6}$/,
      },
      facts: [
        { from: 'name', leave: ['number'] },
        { from: 'jsonl', beside: 'result.json', by: 'name', column: 'checkpoint_dir_name', leave: bookkeeping },
      ],
      files: [{ name: /\.(pt|pth|ckpt|safetensors|bin|h5|keras|pkl|zip)$/, role: 'all' }],
    },
  ],
}
