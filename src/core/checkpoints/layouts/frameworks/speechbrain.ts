/**
 * SpeechBrain: a folder `CKPT…` with `CKPT.yaml` in it, and one file `<key>.ckpt` for each recoverable. The meta is the
 * first file of a save, so that its presence proves no more than that one was begun.
 * Source: speechbrain/utils/checkpoints.py, speechbrain/core.py (`_save`).
 */
import type { Checkpoint, Meta } from '../../../checkpoint.js'
import type { OwnStart, Standing } from '../layout.js'
import { numberOrText } from '../engine/facts.js'
import type { LayoutSpec } from '../spec.js'

const metaFile = 'CKPT.yaml'

/**
 * Keys are free, so only those go by which recipes name such state: `optimizer`, `model_optimizer`, `modelopt`,
 * `adam`, `lr_annealing_model`, `noam_scheduler`, `scaler` alone (the Brain's, of mixed precision; a
 * `feature_scaler` is part of the model), `rng_state`. `opt` alone may be a language model.
 */
const resume =
  /^((.*optimi[sz]ers?|(.*[-_])?optim|modelopt|adamw?|noam|(.*[-_])?schedulers?|(.*[-_])?annealing|rng|random_states?)([-_].*)?|(grad_?)?scaler)\.ckpt$/i
/** Small things that are neither: the loop's counters and where the data were. */
const loop = /^(counter|epoch_?counter|epochs?|brain|dataloader.*|.*[-_]sampler|sampler)\.ckpt$/
/** The Brain's own, which it loads where there is one (core.py, `Brain.__init__`). */
const scaler = /^scaler\.ckpt$/i
/** The library only warns when a `dataloader` file is missing, and loads a scaler where there is one. */
const optional = /(dataloader|scaler).*\.ckpt$/

export const speechBrain: LayoutSpec = {
  id: 'speechbrain',
  title: 'SpeechBrain',
  looks: 'CKPT+<time or name>/ with CKPT.yaml',
  forms: [
    {
      kind: 'folder',
      name: /^CKPT/,
      proof: { sure: [{ file: metaFile }], typical: /^CKPT/ },
      facts: [
        { from: 'yaml', file: metaFile, pick: (meta) => meta, limit: 8 << 20 },
        { from: 'yaml', file: 'brain.ckpt', pick: stepOfBrain, later: 'step', lazy: true },
        // Recipes name it `counter` or `epoch_counter`, the tutorials `epoch` and `epochs`.
        { from: 'text', file: 'counter.ckpt', pick: countIn, later: 'epoch', lazy: true },
        { from: 'text', file: /^(.*counter.*|epochs?)\.ckpt$/, pick: countIn, later: 'epoch', lazy: true },
      ],
      files: [
        { name: scaler, role: 'resume', optional: true, folder: true },
        { name: resume, role: 'resume', folder: true },
        { name: /^dataloader.*\.ckpt$/, role: 'loop', optional: true, folder: true },
        { name: loop, role: 'loop', folder: true },
        // Every other recoverable is a part of the model.
        { name: optional, role: 'weights', optional: true, folder: true },
        { name: /^.+\.ckpt$/s, role: 'weights', folder: true },
      ],
    },
  ],
  history: [
    { from: 'text', beside: '../train_log.txt', parse: trainLogLine },
    { from: 'text', beside: 'train_log.txt', parse: trainLogLine },
  ],
  leftover,
  resumesFrom,
  lacksAlone,
  mayLackMore: true,
}

/**
 * `epoch: 1, lr: 1.00e+00 - train loss: 2.50 - valid loss: 1.20, valid WER: 30.1` (utils/train_logger.py,
 * `FileTrainLogger`). What was measured on the validation set is known without that word too, as in the meta.
 */
function trainLogLine(line: string): Meta | null {
  if (line.length > longestLine) return null
  const row = new Map<string, number>()
  for (const part of line.split(/ - |, /)) {
    const at = part.lastIndexOf(': ')
    const value = numberOrText(part.slice(at + 2).trim())
    if (at < 1 || typeof value !== 'number') continue
    const key = part.slice(0, at).trim()
    row.set(key, value)
    if (key.startsWith('valid ')) row.set(key.slice('valid '.length), value)
  }
  return row.size === 0 ? null : row
}

const longestLine = 1 << 16

/**
 * `recover_if_possible()` takes the one of the largest `unixtime` (utils/checkpoints.py, `find_checkpoints`,
 * `ckpt_recency`). It reads every `CKPT.yaml` before that: one that is not YAML or has no `unixtime` ends it. A folder
 * without the file is nothing to it.
 */
function resumesFrom(there: readonly Standing[]): readonly OwnStart[] {
  const seen = there.filter(({ kind, isLeftover }) => kind === 'directory' && isLeftover !== true)
  const timed = seen.flatMap(({ name, meta }) => {
    const time = Number(meta.get('unixtime') ?? NaN)
    return Number.isNaN(time) ? [] : [{ name, time }]
  })
  const [newest] = timed.toSorted((a, b) => b.time - a.time)
  const known = new Set(timed.map(({ name }) => name))
  const stumblesOver = seen.map(({ name }) => name).filter((name) => !known.has(name))
  return [{ by: 'recover_if_possible()', takes: newest?.name ?? null, stumblesOver }]
}

/**
 * Nothing is written last, so the first save of all tells of itself only by what a recipe always has: a counter of
 * epochs; and where the Brain class saved itself (`brain`), the optimizer, which it adds after itself (core.py,
 * `init_optimizers`).
 */
function lacksAlone({ files }: Pick<Checkpoint, 'files'>): string | null {
  if (!files.some(({ role }) => role === 'loop')) return 'no counter of epochs'
  const isBrains = files.some(({ key }) => key === 'brain')
  return isBrains && !files.some(({ key }) => /opt|adam|sgd|noam/i.test(key)) ? 'no optimizer' : null
}

/**
 * The Brain counts updates over the whole training in `optimizer_step`, and in `step` the batches of the epoch, which is 0
 * again when the epoch is over (core.py, `_fit_train`). Before 1.0 there is only the latter.
 */
function stepOfBrain(content: Meta): Meta | null {
  const step = [content.get('optimizer_step'), content.get('step')].find((one) => typeof one === 'number')
  return step === undefined || (step === 0 && !content.has('optimizer_step')) ? null : new Map([['step', step]])
}

function countIn(content: Meta): Meta | null {
  const text = content.get('text')
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? new Map([['epoch', Number(text)]]) : null
}

/** Without its meta nothing loads the rest (`_is_checkpoint_dir`). */
function leftover(name: string, inside: readonly { readonly name: string }[] | null): string | null {
  if (inside === null || !name.startsWith('CKPT') || inside.some((entry) => entry.name === metaFile)) return null
  return inside.length === 0
    ? `an empty folder: the save had only begun`
    : `no checkpoint without its ${metaFile}: what a save or a removal that was stopped left`
}
