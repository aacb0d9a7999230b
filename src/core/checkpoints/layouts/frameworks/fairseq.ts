/**
 * fairseq (fairseq/checkpoint_utils.py, trainer.py): `checkpoint<E>.pt` at the end of epoch E, `checkpoint_<E>_<U>.pt`
 * after U updates, and byte copies of them as `checkpoint_best.pt`, `checkpoint_last.pt` and
 * `checkpoint.best_<metric>_<value><digit>.pt`. At an epoch's end `train_iterator.epoch` is the next one already.
 * `val_loss` holds the value of `best_checkpoint_metric`, whatever that is. A file is written as `….pt.tmp` first.
 */
import type { Meta } from '../../../checkpoint.js'
import type { Fact, Form, LayoutSpec } from '../spec.js'
import { valueIn, type Unit } from '../engine/unit-paths.js'
import type { Standing } from '../layout.js'
import { namedPointsTo, takesNamed } from '../resume-search.js'

const saved: Omit<Form, 'kind' | 'name'> = {
  proof: {
    sure: [{ torch: ['model', 'extra_state'] }, { torch: ['model', 'optimizer_history'] }],
    typical: /^checkpoint(?:_best|_last|\d+)(?:-shard\d+)?\.pt$/,
  },
  facts: [
    {
      from: 'torch',
      take: {
        step: ['optimizer_history', '-1', 'num_updates'],
        val_loss: ['extra_state', 'val_loss'],
        '#maximize': ['cfg', 'checkpoint', 'maximize_best_checkpoint_metric'],
        '#sharded': ['cfg', 'distributed_training', 'use_sharded_state'],
        '#world': ['cfg', 'distributed_training', 'distributed_world_size'],
        '#metric': ['cfg', 'checkpoint', 'best_checkpoint_metric'],
        '#next': ['extra_state', 'train_iterator', 'epoch'],
        '#inEpoch': ['extra_state', 'train_iterator', 'iterations_in_epoch'],
      },
      has: { '#optimizer': 'last_optimizer_state' },
      pick: epochDone,
    },
  ],
  // With --no-save-optimizer-state there is none.
  resumable: (_, facts) => facts.get('#optimizer') !== false,
}

const plainLast = 'checkpoint_last.pt'
/** Behind the word comes whatever `checkpoint_suffix` is. */
const [bestFile, lastFile] = [/^checkpoint_best(?![a-z]).*\.pt$/, /^checkpoint_last(?![a-z]).*\.pt$/]

export const fairseq: LayoutSpec = {
  id: 'fairseq',
  title: 'fairseq',
  looks: 'checkpoint<epoch>.pt, checkpoint_<epoch>_<updates>.pt, checkpoint_best.pt and checkpoint_last.pt',
  // The default of `--restore-file`, with the suffix.
  resumesFrom: (there) => takesNamed('--restore-file', lastName(there))(there),
  // Of several ranks' files each would have to be led elsewhere.
  pointersTo: (chosen, there) => (chosen.kind === 'file' ? namedPointsTo(lastName(there))(chosen, there) : []),
  forms: [
    {
      ...saved,
      kind: 'file',
      // Behind it there may be a suffix of the user's own (`--checkpoint-suffix`).
      name: /^checkpoint(?:\d+|_\d+_\d+|_best|_last|_crash|\.best_.+)(?:[-_.][-\w]+)?(?<!-(?:shard|rank)[-\w]*)\.pt$/,
    },
    {
      // With sharded states each rank has a file of its own.
      ...saved,
      kind: 'group',
      name: /^(?<unit>checkpoint(?:\d+|_\d+_\d+|_best|_last|_crash|\.best_.+?))-(?<part>(?:shard|rank)[-\w]+)\.pt$/,
      main: /-(?:shard|rank-)0\.pt$/,
      whole: { expects: everyRank },
      files: [{ name: /\.pt$/, role: 'all' }],
    },
  ],
  needs: onlyCopies,
  judge: (facts) => [['val_loss', facts.get('#maximize') === true ? 'max' : 'min']],
  best: bestFile,
  copies: { names: /^checkpoint(_best|_last|\.best_.+?)([-_.][-\w]+)?\.pt$/, by: ['file', 'content'] },
}

/** Without a suffix where there is such a file. */
function lastName(there: readonly Standing[]): string {
  const names = there.map(({ name }) => name).filter((name) => lastFile.test(name))
  return names.find((name) => name === plainLast) ?? names[0] ?? plainLast
}

/** No cluster has more; a number from a file is not believed. */
const mostRanks = 100_000

/** One file for each process (trainer.py, `checkpoint_suffix`), as many as the configuration says; never with a gap. */
function everyRank({ entries }: Unit, facts: Meta): string[] {
  const [first] = entries
  const [, head, tail] = /^(.*-(?:shard|rank-?))\d+(\.pt)$/.exec(first?.name ?? '') ?? []
  if (head === undefined || tail === undefined) return []
  const world = facts.get('#sharded') === true ? facts.get('#world') : 0
  const ranks = entries.map(({ name }) => Number(name.slice(head.length, -tail.length)) + 1)
  const count = Math.max(typeof world === 'number' ? world : 0, ...ranks.filter(Number.isSafeInteger))
  return count > mostRanks ? [] : Array.from({ length: count }, (_, rank) => `${head}${rank}${tail}`)
}

function epochDone(content: Meta): Meta {
  const next = valueIn(content, ['extra_state', 'train_iterator', 'epoch'])
  const within = valueIn(content, ['extra_state', 'train_iterator', 'iterations_in_epoch'])
  return new Map(typeof next === 'number' ? [['epoch', within === 0 ? next - 1 : next]] : [])
}

/** It resumes from `checkpoint_last.pt` alone, and its rotation may have removed the epoch that is the best. */
function onlyCopies(there: readonly Fact[]): ReadonlyMap<string, string> {
  const alone = there.filter(({ sameAs, name }) => sameAs === undefined && !there.some((one) => one.sameAs === name))
  return new Map(
    alone.flatMap(({ name }): [string, string][] => {
      if (lastFile.test(name)) return [[name, 'fairseq resumes from it, and it is the only copy']]
      return bestFile.test(name) ? [[name, "the only copy of fairseq's best"]] : []
    }),
  )
}
