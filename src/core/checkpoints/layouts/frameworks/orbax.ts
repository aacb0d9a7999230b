/**
 * Orbax (orbax/checkpoint: path/step.py, _src/metadata): a folder a step, `100`, `0100` or `<prefix>_100`, with one
 * folder an item (`default/`, `state/`) or, as flax saves, with the arrays right in it. It is known by
 * `_CHECKPOINT_METADATA` or by an item's `_METADATA`; while it is written its name has `.orbax-checkpoint-tmp`. Metrics
 * are JSON in `metrics/metrics`.
 */
import type { Meta, MetaValue } from '../../../checkpoint.js'
import type { Form, LayoutSpec } from '../spec.js'

const saved: Omit<Form, 'name' | 'proof'> = {
  kind: 'folder',
  whole: {
    unfinished: /\.orbax-checkpoint-tmp/,
    needs: [
      {
        any: ['manifest.ocdbt', /^\w+\/manifest\.ocdbt$/, /(^|\/)\.zarray$/, /^[^/]+\/checkpoint$/, /^\w+\/_METADATA$/],
        reason: 'no manifest of the arrays is there',
      },
    ],
    check: ({ entries }) => {
      const items = entries
        .filter(({ name }) => /^(?:\w+\/)?_METADATA$/.test(name))
        .map(({ name }) => name.slice(0, -9))
      const there = new Set(entries.map(({ name }) => name))
      const isOcdbt = items.some((item) => [...there].some((name) => name.startsWith(`${item}ocdbt.process_`)))
      return items
        .filter((item) => isOcdbt && !there.has(`${item}manifest.ocdbt`))
        .map((item) => ({ grade: 'partial', file: `${item}manifest.ocdbt`, reason: 'not there' }))
    },
  },
  facts: [
    { from: 'name' },
    { from: 'json', file: 'metrics/metrics', spread: [[]], lazy: true },
    { from: 'json', file: /^\w+\/metadata$/, lazy: true, pick: epochOf },
    { from: 'json', file: '_CHECKPOINT_METADATA', lazy: true, pick: committed },
  ],
  files: [
    { name: /^(metrics|extra)\/$/, role: 'loop' },
    { name: /^(?:\w+\/)?manifest\.ocdbt$/, role: 'all' },
    // Without OCDBT each array has a folder of its own; this says what there is.
    { name: /^(?:\w+\/)?_METADATA$/, role: 'index', key: 'arrays' },
    { name: /^(d|ocdbt\.process_\d+)\/$/, role: 'all' },
  ],
}

export const orbax: LayoutSpec = {
  id: 'orbax',
  title: 'Orbax',
  looks: '<step>/ with _CHECKPOINT_METADATA, and items such as state/',
  forms: [
    {
      ...saved,
      name: /^(?:.*_)?(?<step>\d+)$/,
      below: /^[^.]+$/,
      proof: {
        sure: [{ file: '_CHECKPOINT_METADATA' }, { file: '_METADATA' }, { file: /^\w+\/(_METADATA|manifest\.ocdbt)$/ }],
      },
    },
    {
      // What a checkpointer without a manager is told to save, under any name.
      ...saved,
      name: /^(?!.*\.orbax-checkpoint-tmp)/,
      proof: { sure: [{ all: [{ file: '_CHECKPOINT_METADATA' }, { file: '_METADATA' }] }] },
    },
  ],
}

function epochOf(content: Meta): Meta {
  const epoch = content.get('epoch')
  return new Map(typeof epoch === 'number' ? [['epoch', epoch]] : [])
}

/** Nanoseconds, which a double does not hold. */
function committed(content: Meta): Meta {
  const time = content.get('commit_timestamp_nsecs')
  const known = typeof time === 'bigint' || typeof time === 'number'
  return new Map<string, MetaValue>(known ? [['unixtime', Number(time) / 1e9]] : [])
}
