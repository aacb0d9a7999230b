/**
 * PyTorch Lightning: one file `*.ckpt` for each checkpoint, in which all there is to know lies in a pickle; beside the
 * folder of them, the loggers' files. Strategies that share out a model save a folder of that name instead: FSDP and
 * ModelParallel (lightning/fabric/strategies/fsdp.py: `.metadata`, `*.distcp`, and last `meta.pt`), or DeepSpeed
 * (`checkpoint/`).
 * Source: lightning/pytorch/callbacks/model_checkpoint.py, lightning/pytorch/trainer/connectors/checkpoint_connector.py.
 */
import { basename } from 'node:path'
import type { Finding } from '../../../checkpoint.js'
import type { FactSource, Form, Has, LayoutIo, LayoutSpec, Unit } from '../spec.js'
import { mayEndInName, numbersIn, typical } from './file-name.js'
import { isRankFolder } from './rank-folders.js'
import { readRun } from './read-run.js'
import { lastPointersTo, resumesLightningFrom } from './resumes-from.js'
import { beginsWithZeros, savedFacts } from './saved-state.js'
import { joinTogether } from './companion-files.js'

/** Since 0.8 there is the version; before it the names were already these. */
const keys: readonly (readonly string[])[] = [
  ['pytorch-lightning_version'],
  ...['optimizer_states', 'checkpoint_callback_best_model_path', 'checkpoint_callback_best'].map((key) => [
    key,
    'state_dict',
    'epoch',
    'global_step',
  ]),
]

/** What a logger wrote, in the run's folder or above it. */
const besides: readonly FactSource[] = ['', '../'].flatMap((above): FactSource[] => [
  // CSVLogger (lightning/fabric/loggers/csv_logs.py) counts from 0: the row of the last batch has one less than the steps done.
  {
    from: 'csv',
    beside: `${above}metrics.csv`,
    by: 'step',
    offset: -1,
    requires: ['step', 'epoch'],
    leave: /^epoch$/,
  },
  {
    from: 'yaml',
    beside: `${above}hparams.yaml`,
    later: 'hyper_parameters',
    limit: 1 << 22,
    pick: (content) => (content.size === 0 ? null : new Map([['hyper_parameters', content]])),
  },
])

const deepSpeedFacts = /^checkpoint\/(?:.*_)?mp_rank_00_model_states\.pt$/
const factsInFolder = /^(?:meta|checkpoint\/(?:.*_)?mp_rank_00_model_states)\.pt$/
const isDeepSpeed: Has = { all: [{ file: 'checkpoint/' }, { file: /^(?:latest|zero_to_fp32\.py)$/ }] }
/** Shards without what is written last. */
const unfinished: readonly Has[] = [
  { all: [{ file: /^\.metadata$|\.distcp$/ }, { not: { file: 'meta.pt' } }] },
  { all: [isDeepSpeed, { not: { file: deepSpeedFacts } }] },
]

const folder: Omit<Form, 'name' | 'proof'> = {
  kind: 'folder',
  below: /^checkpoint$/,
  whole: { check: findingsOfFolder },
  facts: [{ from: 'look', file: factsInFolder, tell: savedFacts }, ...besides],
  // How many there are depends on how many processes shared the model. DeepSpeed's optimizer has the precise weights too.
  files: [
    { name: /^checkpoint\/$/, role: 'all', unlisted: true },
    { name: /\.distcp$/, role: 'all', optional: true },
    { name: /_optim_states\.pt$/, role: 'all', optional: true, isBare: true },
    { name: /_model_states\.pt$/, role: 'weights', optional: true, isBare: true },
    { name: /^meta\.pt$/, role: 'loop', optional: true },
    { name: /^\.metadata$/, role: 'index', unlisted: true },
    { name: /\.pt$/, role: 'other', optional: true, isBare: true },
  ],
}

export const lightning: LayoutSpec = {
  id: 'lightning',
  title: 'PyTorch Lightning',
  looks: '*.ckpt, a file or a folder, with pytorch-lightning_version inside',
  forms: [
    {
      kind: 'file',
      name: /\.ckpt$/,
      proof: {
        sure: keys.map((torch) => ({ torch })),
        typical,
        orUnreadable: true,
        bare: [{ says: 'lies in the place of one', test: standsForOne }],
      },
      facts: [{ from: 'look', tell: savedFacts }, ...besides],
    },
    {
      ...folder,
      name: /\.ckpt$/,
      proof: {
        sure: keys.map((torch) => ({ torch, of: factsInFolder })),
        likely: unfinished,
        typical,
        orUnreadable: true,
      },
    },
    { ...folder, name: typical, proof: { sure: unfinished, bare: [{ all: [] }] } },
  ],
  read: readRun,
  together: joinTogether,
  beginsName: (name, isAmong, run) =>
    mayEndInName(name) ||
    isRankFolder(name) ||
    ((isAmong || basename(run) === usualFolder) && !/^(?:\.|CKPT|checkpoint|version_)/.test(name)),
  /** ModelCheckpoint's scores begin at infinity. */
  isBookkeeping: (tensor) => tensor.startsWith('callbacks.'),
  resumesFrom: resumesLightningFrom,
  // Where no `dirpath` is given, the loggers count on (callbacks/model_checkpoint.py, `__resolve_ckpt_dir`).
  inFolderOfStart: /\/version_\d+\/checkpoints\/[^/]+$/,
  pointersTo: lastPointersTo,
  // A link with `save_last="link"`, and by default in 2.1; else a checkpoint of its own.
  pointers: [{ file: /^(?:.*-)?last(?:-v\d+)?\.ckpt$/, holds: 'link', purpose: 'resume', onDelete: 'rewrite' }],
}

/** Where ModelCheckpoint saves by default. */
const usualFolder = 'checkpoints'

/** Text under the name `last.ckpt` may be a note of which one is the last; what has an epoch in its name was one. */
async function standsForOne({ name, path }: Unit, io: LayoutIo): Promise<boolean> {
  const look = await io.look(path)
  if (look.is.has('torch')) return false
  if (await beginsWithZeros(io, path)) return true
  return numbersIn(name).has('epoch') || (!look.is.has('text') && typical.test(name))
}

function findingsOfFolder({ entries }: Unit): Finding[] {
  const has = (file: string): boolean => entries.some(({ name }) => name === file)
  const isShared = has('checkpoint') && (has('latest') || has('zero_to_fp32.py'))
  if (isShared ? entries.some(({ name }) => deepSpeedFacts.test(name)) : has('meta.pt')) return []
  if (!isShared && !entries.some(({ name }) => name === '.metadata' || name.endsWith('.distcp'))) {
    return [{ grade: 'corrupt', reason: 'a folder, and none that Lightning saves' }]
  }
  const file = isShared ? 'checkpoint/mp_rank_00_model_states.pt' : 'meta.pt'
  return [{ grade: 'unfinished', file, reason: 'not there; it is written last, so the save was not finished' }]
}
