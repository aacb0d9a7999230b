/**
 * PyTorch Lightning: one file `*.ckpt` for each checkpoint, in which all there is to know lies in a pickle; beside the
 * folder of them, the loggers' files. Strategies that share out a model save a folder of that name instead.
 * Source: lightning/pytorch/callbacks/model_checkpoint.py, lightning/pytorch/trainer/connectors/checkpoint_connector.py.
 */
import { dirname } from 'node:path'
import {
  healthFrom,
  oneMember,
  type Checkpoint,
  type Direction,
  type Finding,
  type Meta,
  type MetaValue,
  type ParamFile,
  type Part,
  type Pointer,
} from '../../../checkpoint.js'
import { CkptError, reasonOf, StorageError } from '../../../errors.js'
import { readMetas } from '../../meta/index.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { compareText, findingOf, noFileReason, prefixOf } from '../folders.js'
import type { Folder, Layout } from '../layout.js'
import { pathInside, type CheckpointCallback } from './callbacks.js'
import { findCandidates, type LightningCandidate } from './candidates.js'
import { contentsOf, roleOf } from './contents.js'
import { endsInName, isHpc, isLast, isTypical, numbersIn } from './file-name.js'
import { logFile, readLog, type Logged } from './metrics-csv.js'
import { aliasesAmong, Namesakes, runPointers } from './pointers.js'
import { lastPointersTo, resumesLightningFrom } from './resumes-from.js'
import { joinTogether } from './together.js'
import { readOnce } from './remembered-reading.js'
import type { Foreign, Reading, SavedState } from './saved-state.js'

const id = 'lightning'
const hyperParameterFile = 'hparams.yaml'
/** A file that people write; a generous bound. */
const largestHyperParameters = 1 << 22

export const lightning: Layout = {
  id,
  title: 'PyTorch Lightning',
  // The log counts steps from 0: the row of the last batch has one less than the steps done.
  history: [
    { from: 'csv', beside: logFile, add: { step: 1 } },
    { from: 'csv', beside: `../${logFile}`, add: { step: 1 } },
  ],
  looks: '*.ckpt, a file or a folder, with pytorch-lightning_version inside',
  scan: scanLightning,
  roleOf,
  /** ModelCheckpoint's scores begin at infinity. */
  isBookkeeping: (tensor) => tensor.startsWith('callbacks.'),
  resumesFrom: resumesLightningFrom,
  pointersTo: lastPointersTo,
  // A link with `save_last="link"`, and by default in 2.1; else a checkpoint of its own.
  pointers: [{ file: /^(?:.*-)?last(?:-v\d+)?\.ckpt$/, holds: 'link', purpose: 'resume', onDelete: 'rewrite' }],
}

async function scanLightning(storage: ReadStorage, folder: Folder): Promise<Checkpoint[]> {
  const candidates = await findCandidates(storage, folder)
  if (candidates.length === 0) return []
  const looked: Looked[] = []
  const withWeights = candidates.some(({ name }) => isLast(name))
  for (const candidate of candidates) looked.push(await look(storage, candidate, withWeights))
  if (!withWeights) await compareTwins(storage, looked)
  const taken = choose(looked)
  const saved = taken.flatMap((one) => (one.reading.kind === 'state' ? [{ ...one, state: one.reading.state }] : []))
  const run = await readSurroundings(storage, folder, saved)
  const found = joinTogether(
    taken.map((one) => toCheckpoint(folder.path, one, run)),
    folder.entries.map(({ name }) => name),
  )
  return found.sort((a, b) => (a.step ?? -1) - (b.step ?? -1) || compareText(a.name, b.name))
}

/** Several callbacks may save one state, each under a name of its own: whether they did is told by the weights. */
async function compareTwins(storage: ReadStorage, looked: Looked[]): Promise<void> {
  const stepOf = ({ reading }: Looked) => (reading.kind === 'state' ? reading.state.step : null)
  const counts = new Map<number | null, number>()
  for (const one of looked) counts.set(stepOf(one), (counts.get(stepOf(one)) ?? 0) + 1)
  for (const [index, one] of looked.entries()) {
    const step = stepOf(one)
    if (step !== null && (counts.get(step) ?? 0) > 1) looked[index] = await look(storage, one.candidate, true)
  }
}

interface Looked {
  readonly candidate: LightningCandidate
  readonly files: readonly ParamFile[]
  readonly reading: Reading | { readonly kind: 'unfinished'; readonly finding: Finding }
}

type SavedOne = Looked & { readonly state: SavedState }

async function look(storage: ReadStorage, candidate: LightningCandidate, withWeights: boolean): Promise<Looked> {
  const { facts, unfinished, files, refused } = await contentsOf(storage, candidate)
  if (refused !== undefined) return { candidate, files, reading: { kind: 'unreadable', reason: reasonOf(refused) } }
  if (unfinished !== null) {
    const reason = 'not there; it is written last, so the save was not finished'
    return {
      candidate,
      files,
      reading: { kind: 'unfinished', finding: { grade: 'unfinished', file: unfinished, reason } },
    }
  }
  if (candidate.kind === 'other') return { candidate, files, reading: { kind: 'broken', reason: noFileReason } }
  if (facts === null) return { candidate, files, reading: { kind: 'foreign', bytes: 'folder' } }
  const request = { name: candidate.name, withWeights }
  try {
    const reading = await readOnce(storage, facts, request)
    return { candidate, files, reading }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    const finding = findingOf(error)
    const reading: Reading =
      finding === null
        ? { kind: 'foreign', bytes: 'gone' }
        : { kind: finding.grade === 'unreadable' ? 'unreadable' : 'broken', reason: finding.reason }
    return { candidate, files, reading }
  }
}

/**
 * What says of itself that it is one, or cannot be asked; and among such, or under a name that only Lightning gives, what is broken: a run
 * whose only checkpoint was cut off is not a folder without checkpoints.
 */
function choose(looked: readonly Looked[]): Looked[] {
  const isRoot = looked.some(({ candidate: { name }, reading }) => isHpc(name) && reading.kind === 'state')
  const own = looked.filter((one) => belongsHere(one) || (isRoot && one.reading.kind === 'state'))
  const isAmongOthers = own.some(({ reading }) => reading.kind === 'state')
  return own.filter(({ candidate: { name }, reading }) => {
    if (reading.kind === 'state' || reading.kind === 'unreadable') return true
    if (reading.kind !== 'foreign') return isAmongOthers || isTypical(name)
    return isAmongOthers && isInPlaceOfOne(name, reading.bytes)
  })
}

/** Text under the name `last.ckpt` may be a note of which one is the last; what has an epoch in its name was one. */
function isInPlaceOfOne(name: string, bytes: Foreign): boolean {
  if (bytes === 'torch' || bytes === 'gone') return false
  if (bytes === 'blank') return true
  return numbersIn(name).has('epoch') || (bytes !== 'text' && isTypical(name))
}

/**
 * Whether a file in a folder below is this folder's checkpoint, under a name with a slash, or that folder's own. Its
 * callback knows the folder; where it does not say, the names must.
 */
function belongsHere({ candidate: { name }, reading }: Looked): boolean {
  const slash = name.lastIndexOf('/')
  if (slash === -1) return true
  const callbacks = reading.kind === 'state' ? reading.state.callbacks : []
  const inside = callbacks.flatMap(({ own, folder }) => (own === null ? [] : (pathInside(own.path, folder) ?? [])))
  if (inside.length > 0) return inside.includes(name)
  const above = name.slice(0, slash)
  if (callbacks.some(({ folder }) => folder.replaceAll('\\', '/').endsWith(`/${above}`))) return false
  return endsInName(above.split('/').at(-1) ?? '') || /^(?!epoch=|step=)[^=-]+=/.test(name.slice(slash + 1))
}

/** What is known of the run beside what each checkpoint says. */
interface Surroundings {
  readonly logged: Logged
  readonly hyperParameters: MetaValue | undefined
  /** By step, the scores by their metrics' names. */
  readonly scores: ReadonlyMap<number, ReadonlyMap<string, number>>
  readonly aliases: ReadonlyMap<string, string>
  readonly namesakes: Namesakes
  readonly pointers: readonly Pointer[]
}

async function readSurroundings(
  storage: ReadStorage,
  folder: Folder,
  saved: readonly SavedOne[],
): Promise<Surroundings> {
  // The log counts steps from 0: the row of the last batch has one less than the steps done.
  const steps = new Set(saved.flatMap(({ state: { step } }) => (step === null ? [] : [step - 1])))
  const beside = (name: string) =>
    prefixOf(folder.entries.some((entry) => entry.name === name) ? folder.path : dirname(folder.path)) + name
  const needsHyperParameters = saved.some(({ state }) => state.hyperParameters === undefined)
  const aliases = aliasesAmong(saved)
  return {
    logged: await readLog(storage, beside(logFile), steps),
    hyperParameters: needsHyperParameters ? await readHyperParameters(storage, beside(hyperParameterFile)) : undefined,
    scores: scoresByStep(saved),
    aliases,
    namesakes: new Namesakes(saved.map(({ candidate }) => candidate.name)),
    pointers: runPointers(saved, aliases),
  }
}

async function readHyperParameters(storage: ReadStorage, path: string): Promise<MetaValue | undefined> {
  const [bytes] = await storage.read([path], largestHyperParameters)
  if (bytes?.ok !== true) return undefined
  const [meta] = await readMetas([bytes.value])
  return meta === undefined || meta instanceof CkptError || meta.size === 0 ? undefined : meta
}

/** A copy or another callback's checkpoint of the same step has the same weights, and so the same scores. */
function scoresByStep(saved: readonly SavedOne[]): Map<number, Map<string, number>> {
  const scores = new Map<number, Map<string, number>>()
  for (const { state } of saved) {
    if (state.step === null) continue
    const known = scores.get(state.step) ?? new Map<string, number>()
    scores.set(state.step, known)
    for (const { monitor, own } of state.callbacks) {
      if (monitor !== null && own !== null && own.score !== null) known.set(monitor, own.score)
    }
  }
  return scores
}

function toCheckpoint(run: string, { candidate, files, reading }: Looked, around: Surroundings): Checkpoint {
  const { name, path, kind } = candidate
  const inName = numbersIn(name)
  const state = reading.kind === 'state' ? reading.state : null
  const sameAs = around.aliases.get(name)
  const directions = new Map(state?.callbacks.flatMap(directionOf) ?? [])
  return {
    name,
    ...oneMember(path, kind === 'directory' ? kind : 'file'),
    run,
    layout: id,
    meta: state === null ? new Map<string, MetaValue>() : metaOf(name, state, around),
    step: state === null ? (inName.get('step') ?? null) : state.step,
    epoch: state === null ? (inName.get('epoch') ?? null) : state.epoch,
    unixtime: null,
    modified: null,
    files,
    size: null,
    health: healthFrom('none', findingsOf(reading)),
    pointsTo: state === null ? [] : [...bestPointers(state, run, around.namesakes), ...around.pointers],
    ...(directions.size === 0 ? {} : { directions }),
    ...(sameAs === undefined ? {} : { sameAs }),
    ...(state === null || kind === 'directory' ? {} : resumingOf(state)),
  }
}

/**
 * `save_weights_only` leaves these out, and a fit from such a file fails
 * (lightning/pytorch/trainer/connectors/checkpoint_connector.py, `restore_optimizers_and_schedulers`).
 */
function resumingOf({ contents }: SavedState): Pick<Checkpoint, 'resumable' | 'lacks' | 'contents'> {
  const lacks: Part[] = [
    ...(contents.includes('state_dict') ? [] : (['model'] as const)),
    ...(contents.includes('optimizer_states') ? [] : (['optimizer'] as const)),
    ...(contents.includes('lr_schedulers') ? [] : (['scheduler'] as const)),
  ]
  return lacks.length === 0 ? { contents } : { contents, resumable: false, lacks }
}

function findingsOf(reading: Looked['reading']): Finding[] {
  switch (reading.kind) {
    case 'state':
      return []
    case 'unfinished':
      return [reading.finding]
    case 'broken':
      return [{ grade: 'corrupt', reason: reading.reason }]
    case 'unreadable':
      return [{ grade: 'unreadable', reason: reading.reason }]
    case 'foreign':
      return [{ grade: 'corrupt', reason: explainForeign(reading.bytes) }]
  }
}

function explainForeign(bytes: Foreign): string {
  if (bytes === 'folder') return 'a folder, and none that Lightning saves'
  const begins = bytes === 'blank' ? 'begins with zeros alone' : 'begins otherwise'
  return `${begins}, and the others as torch.save writes`
}

function directionOf({ monitor, mode }: CheckpointCallback): [string, Direction][] {
  return monitor === null || mode === null ? [] : [[monitor, mode]]
}

/**
 * Without a monitor a callback has its newest for `best_model_path`: that is no best. Of several callbacks the Trainer
 * takes the first one's for `ckpt_path="best"` (`Trainer.checkpoint_callback`).
 */
function bestPointers({ callbacks }: SavedState, run: string, namesakes: Namesakes): Pointer[] {
  const judging = callbacks.filter(({ monitor, bestScore }) => monitor !== null || bestScore !== null)
  const [first] = judging
  return callbacksOf(run, judging).flatMap((callback) => {
    const { bestPath, bestScore, folder, monitor } = callback
    if (bestPath === '') return []
    // One in the callback's own folder belongs here, also when it is gone.
    const name = namesakes.find(bestPath) ?? pathInside(bestPath, folder)
    if (name === null) return []
    const judged = {
      ...(monitor === null ? {} : { metric: monitor }),
      ...(bestScore === null || !Number.isFinite(bestScore) ? {} : { value: bestScore }),
    }
    const chosen = callback === first && judging.length > 1 ? { isDefault: true as const } : {}
    return [{ label: 'best_model_path', name, purpose: 'best', ...chosen, ...judged }]
  })
}

/** Each may have a folder of its own: those whose folder is the run's by the most of its last parts. */
function callbacksOf(run: string, callbacks: readonly CheckpointCallback[]): readonly CheckpointCallback[] {
  const shared = callbacks.map(({ folder }) => sharedParts(folder, run))
  return callbacks.filter((_, index) => shared[index] === Math.max(...shared))
}

function sharedParts(folder: string, run: string): number {
  const [a = [], b = []] = [folder, run].map((path) =>
    path
      .split(/[/\\]+/)
      .filter((part) => part !== '')
      .reverse(),
  )
  const different = a.findIndex((part, index) => part !== b[index])
  return different === -1 ? a.length : different
}

function metaOf(name: string, state: SavedState, { logged, scores, hyperParameters }: Surroundings): Meta {
  const meta = new Map<string, MetaValue>()
  if (state.step !== null) meta.set('step', state.step)
  if (state.epoch !== null) meta.set('epoch', state.epoch)
  const log = state.step === null ? undefined : logged.get(state.step - 1)
  for (const [key, value] of log ?? []) meta.set(key, value)
  for (const [key, score] of (state.step === null ? undefined : scores.get(state.step)) ?? []) {
    // A metric that is NaN is scored as the worst there can be.
    if (Number.isFinite(score) || !meta.has(key)) meta.set(key, score)
  }
  for (const [key, value] of numbersIn(name))
    if (!meta.has(key) && key !== 'epoch' && key !== 'step') meta.set(key, value)
  if (state.version !== null) meta.set('pytorch-lightning_version', state.version)
  const parameters = state.hyperParameters ?? hyperParameters
  if (parameters !== undefined) meta.set('hyper_parameters', parameters)
  if (state.callbacks.length > 0) meta.set('callbacks', callbacksMeta(state.callbacks))
  return meta
}

/** By the class's name where it is the only one. */
function callbacksMeta(callbacks: readonly CheckpointCallback[]): Meta {
  return new Map(
    callbacks.map(({ key, monitor, mode, bestPath, bestScore, currentScore, lastPath }) => {
      const facts: [string, MetaValue][] = [
        ['monitor', monitor],
        ['mode', mode],
        ['best_model_path', bestPath],
        ['best_model_score', bestScore],
        ['current_score', currentScore],
        ['last_model_path', lastPath],
      ]
      const title = callbacks.length === 1 ? key.replace(/\{.*$/s, '') : key
      return [title, new Map(facts.filter(([, value]) => value !== null && value !== ''))] as const
    }),
  )
}
