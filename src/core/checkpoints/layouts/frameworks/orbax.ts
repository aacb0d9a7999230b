/**
 * Orbax (orbax/checkpoint: path/step.py, _src/metadata): a folder a step, `100`, `0100` or `<prefix>_100`, with one
 * folder an item (`default/`, `state/`) or, as flax saves, with the arrays right in it. It is known by
 * `_CHECKPOINT_METADATA` or by an item's `_METADATA`; while it is written its name has `.orbax-checkpoint-tmp`. Metrics
 * are JSON in `metrics/metrics`.
 */
import { isMeta, type Finding, type Meta, type MetaValue } from '../../../checkpoint.js'
import type { DirectoryEntry } from '../../../storage/storage.js'
import type { Form, LayoutSpec } from '../spec.js'
import { takesLargest } from '../resume-search.js'

/** What a checkpointer without a manager is given to save, under any name; flax adds its step to any prefix. */
const anyName =
  /^(?!.*\.orbax-checkpoint-tmp)(?:(?:.*[-_])?epoch[-_=]?(?<epoch>\d+)$|(?:.*[-_])?(?<step>\d+(?:\.\d+)?)$)?/

const saved = {
  kind: 'folder',
  whole: {
    unfinished: /\.orbax-checkpoint-tmp/,
    needs: [
      {
        any: ['manifest.ocdbt', /^\w+\/manifest\.ocdbt$/, /(^|\/)\.zarray$/, /^[^/]+\/checkpoint$/, /^\w+\/_METADATA$/],
        reason: 'no manifest of the arrays is there',
      },
    ],
    check: ({ entries }) => [...missingParts(entries), ...emptyItems(entries)],
  },
  facts: [
    { from: 'name' },
    { from: 'json', file: 'metrics/metrics', spread: [[]], lazy: true },
    { from: 'json', file: /^\w+\/metadata$/, lazy: true, pick: epochOf },
    { from: 'json', file: '_CHECKPOINT_METADATA', lazy: true, pick: committed },
    { from: 'json', file: /^(?:\w+\/)?_METADATA$/, lazy: true, pick: parametersAlone },
  ],
  resumable: ({ entries }, facts) => !isModelAlone(entries, facts.get('#alone') === true),
  files: [
    { name: /^(metrics|extra)\/$/, role: 'loop' },
    // One without OCDBT may lie beside others with it; where it must be there, `check` says.
    { name: /^(?:\w+\/)?manifest\.ocdbt$/, role: 'all', optional: true },
    // Without OCDBT each array has a folder of its own; this says what there is.
    { name: /^(?:\w+\/)?_METADATA$/, role: 'index', key: 'arrays' },
    { name: /^(d|ocdbt\.process_\d+)\/$/, role: 'all', optional: true },
  ],
} satisfies Omit<Form, 'name' | 'proof'>

export const orbax: LayoutSpec = {
  id: 'orbax',
  title: 'Orbax',
  looks: '<step>/ with _CHECKPOINT_METADATA, and items such as state/',
  holdsNoRun: isTodeleteSubdir,
  leftover,
  resumesFrom: takesLargest('CheckpointManager.latest_step()', 'directory', /^(?:.*_)?(\d+)$/),
  forms: [
    {
      ...saved,
      name: /^(?:.*_)?(?<step>\d+)$/,
      below: /^[^.]+$/,
      proof: {
        sure: [{ file: '_CHECKPOINT_METADATA' }, { file: /^\w+\/(_METADATA|manifest\.ocdbt)$/ }],
        never: [{ file: '_METADATA' }],
      },
    },
    {
      ...saved,
      name: anyName,
      proof: { sure: [{ all: [{ file: '_CHECKPOINT_METADATA' }, { file: '_METADATA' }] }] },
    },
    {
      // `save_pytree` and `save_checkpointables` of version 1, each item in a folder, beside a mark that they are whose.
      ...saved,
      name: anyName,
      below: /^(?:state|pytree)$/,
      proof: { sure: [{ all: [{ file: '_CHECKPOINT_METADATA' }, { file: 'orbax.checkpoint' }] }] },
      whole: { ...saved.whole, needs: [{ any: [/^\w+\/$/], reason: 'no item is there' }] },
    },
    {
      // The same, before there was `_CHECKPOINT_METADATA`.
      ...saved,
      name: /^(?:.*_)?(?<step>\d+)$/,
      below: /^[^.]+$/,
      proof: { sure: [{ file: '_METADATA' }] },
    },
  ],
}

/** A number or a time may be behind it, in older versions. */
function leftover(folder: string, inside: readonly unknown[] | null): string | null {
  return inside !== null && folder.includes('.orbax-checkpoint-tmp')
    ? 'the folder of a save that never finished: Orbax renames it when all is written'
    : null
}

/**
 * `CheckpointManagerOptions.todelete_subdir`: steps that rotation takes are renamed into it. People choose its name, and
 * nothing is written there that tells it from a run of its own; so both its name and all that is in it have to say so.
 * `old` may as well be an earlier training that somebody put there: only one of which the run goes on, step by step, and
 * has none any more, is what the manager moved.
 */
function isTodeleteSubdir(name: string, inside: readonly DirectoryEntry[], beside: readonly DirectoryEntry[]): boolean {
  // It may be a path: `trash/steps`.
  if (forDeleted.test(name) && inside.length === 1 && inside[0]?.kind === 'directory') return true
  if (!inside.every((entry) => entry.kind === 'directory' && step.test(entry.name))) return false
  return forDeleted.test(name) || (forOlder.test(name) && areOfBefore(stepsIn(inside), stepsIn(beside)))
}

/** Steps of one training, of which the lesser ones went. */
function areOfBefore(moved: readonly number[], there: readonly number[]): boolean {
  const newest = Math.max(...there)
  return moved.length > 0 && moved.every((one) => one < newest && !there.includes(one))
}

function stepsIn(entries: readonly DirectoryEntry[]): readonly number[] {
  return entries.flatMap(({ name, kind }) =>
    kind === 'directory' && step.test(name) ? [Number(/(\d+)/.exec(name.replace(/^.*_/, ''))?.[1])] : [],
  )
}

const forDeleted =
  /delet|remov|trash|garbage|discard|purge|rubbish|recycle|obsolete|stale|expired|(?:^|[-_.])(?:rm|gc|bin)(?:$|[-_.])/i
const forOlder =
  /(?:^|[-_.])(?:old|older|prev|previous|past|former|outdated|superseded|rotated|evicted|retired|dropped|archived?|attic)(?:$|[-_.])/i
const step = /^(?:.*_)?\d+(?:\.orbax-checkpoint-tmp.*)?$/

/**
 * `isTree`: the first item's own tree has parameters alone at its top. An item may have the name that a part of a
 * TrainState has, and one of JSON may count what the parameters do not.
 */
function isModelAlone(entries: readonly DirectoryEntry[], isTree: boolean): boolean {
  const items = entries.filter(({ name, kind }) => kind === 'directory' && isItem(name)).map(({ name }) => name)
  if (items.length > 0 && items.every((name) => parameters.test(name))) return true
  return isTree && !items.some((name) => /opt|state/i.test(name))
}

function isItem(name: string): boolean {
  return /^\w+$/.test(name) && !ownFolder.test(name) && name !== 'metrics'
}

/** What one item's arrays are read by: the tree of their names, and the manifest of the database that they lie in. */
function missingParts(entries: readonly DirectoryEntry[]): Finding[] {
  const there = new Set(entries.map(({ name }) => name))
  const items = new Set(
    entries.flatMap(({ name }) => /^((?:\w+\/)?)(?:_METADATA|manifest\.ocdbt)$/.exec(name)?.[1] ?? []),
  )
  return [...items].flatMap((item): Finding[] => {
    const isOcdbt = [...there].some((name) => name.startsWith(`${item}ocdbt.process_`))
    const needed = isOcdbt ? ['_METADATA', 'manifest.ocdbt'] : ['_METADATA']
    return needed
      .filter((name) => !there.has(item + name))
      .map((name) => ({ grade: 'partial', file: item + name, reason: 'not there; Orbax reads the arrays by it' }))
  })
}

/** An item of which no more is left than the mark that it was finished. */
function emptyItems(entries: readonly DirectoryEntry[]): Finding[] {
  return entries
    .filter(({ name, kind }) => kind === 'directory' && /^[^.]+$/.test(name) && !ownFolder.test(name))
    .filter(({ name }) => {
      const inside = entries.filter((entry) => entry.name.startsWith(`${name}/`))
      return inside.length > 0 && inside.every((entry) => entry.name === `${name}/commit_success.txt`)
    })
    .map(({ name }) => ({ grade: 'partial', file: `${name}/`, reason: 'nothing of this item is there' }))
}

/** Folders of the database, which are not items. */
const ownFolder = /^(?:d|array_metadatas)$/

function epochOf(content: Meta): Meta {
  const epoch = content.get('epoch')
  return new Map(typeof epoch === 'number' ? [['epoch', epoch]] : [])
}

/** True where all that was saved is parameters, by the top of the tree of names: a TrainState has `opt_state` beside. */
function parametersAlone(content: Meta): Meta {
  const tree = content.get('tree_metadata')
  if (!isMeta(tree) || tree.size === 0) return new Map()
  const tops = [...tree.keys()].map((path) => /^\('([^']*)'/.exec(path)?.[1])
  return new Map([['#alone', tops.every((top) => top !== undefined && parameters.test(top))]])
}

const parameters = /^(?:params|ema_params|batch_stats)$/

/** Nanoseconds, which a double does not hold. */
function committed(content: Meta): Meta {
  const time = content.get('commit_timestamp_nsecs')
  const known = typeof time === 'bigint' || typeof time === 'number'
  return new Map<string, MetaValue>(known ? [['unixtime', Number(time) / 1e9]] : [])
}
