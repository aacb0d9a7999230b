/**
 * Hugging Face Trainer: a folder `checkpoint-<global step>` with the weights, what is needed to resume, and
 * `trainer_state.json`, which is written last of all.
 * Source: transformers/trainer.py (`_save_checkpoint`), trainer_callback.py (`TrainerState`), trainer_utils.py.
 */
import { sep } from 'node:path'
import {
  healthFrom,
  isMeta,
  oneMember,
  type Checkpoint,
  type Direction,
  type Finding,
  type Meta,
  type MetaValue,
  type Moment,
  type ParamFile,
  type Pointer,
  type Role,
} from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { readJsonObject, type JsonObject } from '../../formats/json.js'
import { directionOf, mostKeys } from '../meta/index.js'
import type { Entry, ReadStorage, Result } from '../../storage/storage.js'
import {
  batches,
  compareText,
  directoryNames,
  findingOf,
  findNoFiles,
  folderReason,
  prefixOf,
  type Placed,
} from './folders.js'
import type { Folder, Layout } from './layout.js'
import { quoteValue, toFinite } from './numbers.js'

const id = 'hf-trainer'
const stateFile = 'trainer_state.json'
/** The log of a long run has tens of megabytes. */
const largestState = 128 << 20
/** Bytes of a state that is read together with others. */
const usualState = 4 << 20
/** States of that size held in memory at once: each has the whole history of its run. */
const batchSize = 8

export const hfTrainer: Layout = {
  id,
  title: 'Hugging Face Trainer',
  scan: scanHfTrainer,
  roleOf,
  explainLeftover: explainHfLeftover,
}

/** transformers 4.36 to 4.38 save into `tmp-checkpoint-…` and rename it (trainer.py, `_save_checkpoint`). */
function explainHfLeftover(name: string, inside: readonly Entry[]): string | null {
  if (name.startsWith('tmp-checkpoint-')) {
    return 'the staging folder of a save that never finished: the Trainer renames it when all is written'
  }
  return /^checkpoint-\d+$/.test(name) && inside.length === 0 ? 'an empty folder: the save had only begun' : null
}

/** transformers/trainer.py: `_save_optimizer_and_scheduler`, `_save_rng_state`, `_save_scaler`. */
const resumeFiles = /^(optimizer\.(pt|bin)|scheduler\.pt|scaler\.pt|rng_state(_\d+)?\.pth)$/
/** A folder of FSDP's sharded optimizer (accelerate/utils/fsdp_utils.py). */
const resumeFolders = /^optimizer_\d+$/
/** DeepSpeed keeps the weights, or the precise ones, together with the optimizer's state. */
const entangled = /^global_step\d+$/

function roleOf({ name, kind }: Entry): Role {
  if (kind === 'directory') {
    if (entangled.test(name)) return 'all'
    if (resumeFolders.test(name)) return 'resume'
    return /^pytorch_model_fsdp(_\d+)?$/.test(name) ? 'weights' : 'other'
  }
  if (resumeFiles.test(name)) return 'resume'
  if (name === stateFile) return 'loop'
  if (weights.test(name) || fsdpWeights.test(name)) return name.endsWith('.index.json') ? 'index' : 'weights'
  return 'other'
}

/** A gradient scaler is saved only where one is in use. */
function isOptional(name: string): boolean {
  return name.includes('scaler') || name.includes('dataloader')
}

async function scanHfTrainer(storage: ReadStorage, folder: Folder): Promise<Checkpoint[]> {
  const names = await directoryNames(storage, folder, (name) => /^checkpoint-\d+$/.test(name))
  if (names.length === 0) return []
  const candidates = await listCandidates(storage, folder.path, names)
  const found: Checkpoint[] = []
  for (const batch of batches(choose(candidates), batchSize)) {
    found.push(...(await readStates(storage, folder.path, batch)))
  }
  return found.sort((a, b) => (stepOfName(a.name) ?? 0) - (stepOfName(b.name) ?? 0) || compareText(a.name, b.name))
}

/** What the names in a folder `checkpoint-N` say. */
type Claim = 'finished' | 'begun' | 'perhaps' | 'foreign' | 'unreadable'

interface Candidate {
  readonly name: string
  readonly path: string
  readonly claim: Claim
  readonly entries: readonly Entry[]
  readonly findings: readonly Finding[]
}

async function listCandidates(storage: ReadStorage, run: string, names: readonly string[]): Promise<Candidate[]> {
  const prefix = prefixOf(run)
  const listings = await storage.list(names.map((name) => prefix + name))
  return names.flatMap((name, index): Candidate[] => {
    const path = prefix + name
    const listing = listings[index]
    if (listing === undefined) return []
    if (listing.ok) {
      const entries = listing.value
      const claim = claimOf(entries)
      return claim === null ? [] : [{ name, path, claim, entries, findings: [] }]
    }
    const finding = findingOf(listing.error)
    return finding === null ? [] : [{ name, path, claim: 'unreadable', entries: [], findings: [finding] }]
  })
}

const weights =
  /^(model|pytorch_model|adapter_model|tf_model|flax_model)([-.].*)?\.(safetensors|bin|h5|msgpack|index\.json)$/
const fsdpWeights = /^pytorch_model_fsdp(_\d+)?\.bin$/
const parallelWeights = /^(global_step\d+|pytorch_model_fsdp.*)$/
/** Files that accelerate's `save_state` writes and the Trainer does not (accelerate/utils/constants.py). */
const foreignFiles =
  /^(random_states_\d+\.pkl|custom_checkpoint_\d+\.pkl|(sampler|scheduler|dl_state_dict)(_\d+)?\.bin)$/
const ownFiles = /^(training_args\.bin|optimizer\.pt|scheduler\.pt|rng_state(_\d+)?\.pth)$/

function claimOf(entries: readonly Entry[]): Claim | null {
  const has = (accepts: (name: string) => boolean): boolean => entries.some((entry) => accepts(entry.name))
  if (entries.length === 0) return null
  if (has((name) => name === stateFile)) return 'finished'
  if (has((name) => foreignFiles.test(name))) return 'foreign'
  const own = has((name) => ownFiles.test(name) || weights.test(name) || parallelWeights.test(name))
  return own ? 'begun' : 'perhaps'
}

/**
 * Diffusers' and accelerate's scripts use the same folder names without `trainer_state.json`: a folder that could be
 * either belongs to the Trainer when it is not among theirs, and one that says nothing when it is among the Trainer's.
 */
function choose(candidates: readonly Candidate[]): Candidate[] {
  const among = (claim: Claim): boolean => candidates.some((candidate) => candidate.claim === claim)
  const finished = among('finished')
  const begun = finished || (among('begun') && !among('foreign'))
  const taken: Readonly<Record<Claim, boolean>> = {
    finished: true,
    begun,
    perhaps: finished,
    unreadable: begun,
    foreign: false,
  }
  return candidates.filter((candidate) => taken[candidate.claim])
}

async function readStates(storage: ReadStorage, run: string, batch: readonly Candidate[]): Promise<Checkpoint[]> {
  const noFiles = await findNoFiles(storage, batch.flatMap(jsonIn))
  const readable = batch.filter((candidate) => !noFiles.has(candidate.path + sep + stateFile))
  const states = await interpretAll(storage, readable)
  return batch.map((candidate) => {
    const odd = jsonIn(candidate).flatMap(({ entry, path }) => noFiles.get(path) ?? findFolder(entry))
    const state = states.get(candidate) ?? failedState([])
    return toCheckpoint(run, candidate, { ...state, findings: [...state.findings, ...odd] })
  })
}

/** Long logs one after the other: each is dropped before the next is read. */
async function interpretAll(storage: ReadStorage, readable: readonly Candidate[]): Promise<Map<Candidate, State>> {
  const paths = readable.map((candidate) => candidate.path + sep + stateFile)
  const texts = await storage.read(paths, usualState)
  const states = new Map<Candidate, State>()
  for (const [index, candidate] of readable.entries()) {
    let text = texts[index]
    if (text?.ok === false && text.error.errno === 'EFBIG') {
      ;[text] = await storage.read([candidate.path + sep + stateFile], largestState)
    }
    states.set(candidate, readState(candidate, text))
  }
  return states
}

/** Its state, and what says how the model and its tokenizer are made. */
function jsonIn({ path, entries }: Candidate): Placed[] {
  return entries.filter(({ name }) => name.endsWith('.json')).map((entry) => ({ entry, path: path + sep + entry.name }))
}

/** That the state cannot be read tells it already. */
function findFolder({ name, kind }: Entry): Finding[] {
  if (kind !== 'directory' || name === stateFile) return []
  return [{ grade: 'corrupt', file: name, reason: folderReason }]
}

/** What one checkpoint's `trainer_state.json` says. */
interface State {
  readonly meta: Map<string, MetaValue>
  readonly measuredAt: ReadonlyMap<string, Moment>
  readonly findings: readonly Finding[]
  readonly best: Best | null
}

/** What the Trainer holds for the best, as far as it says so. */
interface Best {
  /** Path as the job saw it. */
  readonly path: string
  readonly value: number | null
  /** The metric that had this value where it was best. */
  readonly metric: string | null
  readonly direction: Direction | null
}

function readState(candidate: Candidate, text: Result<Uint8Array> | undefined): State {
  if (candidate.claim === 'unreadable' || text === undefined) return failedState([])
  if (!text.ok) return failedState([findingOf(text.error, stateFile) ?? unfinished])
  if (text.value.length === 0) return failedState([corruptState('0 bytes')])
  try {
    return interpret(text.value)
  } catch (error) {
    if (error instanceof CkptError) return failedState([corruptState(error.message)])
    throw error
  }
}

const unfinished: Finding = {
  grade: 'unfinished',
  file: stateFile,
  reason: 'not there; it is the last file that the Trainer writes, so the save was not finished',
}

function corruptState(reason: string): Finding {
  return { grade: 'corrupt', file: stateFile, reason }
}

function failedState(findings: readonly Finding[]): State {
  return { meta: new Map(), measuredAt: new Map(), findings, best: null }
}

const facts = new Set([
  ...[
    'global_step',
    'epoch',
    'best_model_checkpoint',
    'best_metric',
    'best_global_step',
    'logging_steps',
    'save_steps',
  ],
])

function interpret(text: Uint8Array): State {
  let log = new Log(new Map())
  const onItem = (entry: MetaValue): void => log.add(entry)
  const onList = (before: JsonObject): void => void (log = new Log(before))
  const state = readJsonObject(text, { keys: facts, list: 'log_history', onList, onItem })
  if (state === null) return failedState([corruptState('no JSON object')])
  const step = state.get('global_step')
  if (typeof step === 'string' || typeof step === 'boolean' || typeof step === 'object') {
    return failedState([corruptState(`global_step is no number, but ${quoteValue(step)}`)])
  }
  if (step !== log.step || state.get('best_metric') !== log.best) {
    // The Trainer sorts its keys. Where these come behind the log, that is read again.
    log = new Log(state)
    readJsonObject(text, { keys: noFacts, list: 'log_history', onList: () => void (log = new Log(state)), onItem })
  }
  const meta = new Map<string, MetaValue>()
  copyFact(step, 'step', meta)
  copyFact(state.get('epoch'), 'epoch', meta)
  for (const [key, value] of log.metrics) meta.set(key, value)
  const best = state.get('best_model_checkpoint')
  copyFact(best, 'best_model_checkpoint', meta)
  return {
    meta,
    measuredAt: log.measuredElsewhere(loggedEvery(state)),
    findings: log.isCut ? [tooManyMetrics] : [],
    best: typeof best === 'string' ? { path: best, ...log.judgement() } : null,
  }
}

const noFacts: ReadonlySet<string> = new Set()

const tooManyMetrics = corruptState(`its log has more than ${mostKeys} metrics; at most that many are read`)

function copyFact(value: MetaValue | undefined, key: string, meta: Map<string, MetaValue>): void {
  if (value !== undefined && value !== null) meta.set(key, value)
}

/** Keys of evaluations begin so (transformers/trainer.py, `metric_key_prefix`); the others are the training log's. */
function isMeasured(key: string): boolean {
  return /^(eval|test|predict|val|valid|validation|dev)[_/]/.test(key)
}

/** Steps between two lines of the training log, or two saves, whichever is less. A share of all steps is below 1. */
function loggedEvery(state: JsonObject): number {
  const steps = ['logging_steps', 'save_steps'].map((key) => toFinite(state.get(key)) ?? 0)
  return Math.min(...steps.filter((count) => count >= 1), Infinity)
}

/** Each key's last entry in the log that is not after this checkpoint's step. */
class Log {
  readonly metrics = new Map<string, MetaValue>()
  readonly #stepOf = new Map<string, number>()
  readonly #epochOf = new Map<string, number | null>()
  readonly #last: number
  /** Of evaluations, the lowest and the highest value of each key. */
  readonly #extremes = new Map<string, { readonly least: number; readonly most: number }>()
  /** Keys that had the best value where it was best. */
  readonly #judged = new Set<string>()
  readonly step: MetaValue | undefined
  readonly best: MetaValue | undefined
  readonly #bestStep: number | null
  isCut = false

  /** `facts` are those of the state that are known before its log. */
  constructor(facts: JsonObject) {
    this.step = facts.get('global_step')
    this.best = facts.get('best_metric')
    this.#last = toFinite(this.step) ?? Infinity
    const path = facts.get('best_model_checkpoint')
    const named = typeof path === 'string' ? stepOfName(nameIn(path) ?? '') : null
    this.#bestStep = toFinite(facts.get('best_global_step')) ?? named
  }

  add(entry: MetaValue): void {
    if (!isMeta(entry)) return
    const step = toFinite(entry.get('step')) ?? -Infinity
    if (step > this.#last) return
    const epoch = toFinite(entry.get('epoch'))
    this.#judge(entry, step)
    for (const [key, value] of entry) {
      const known = this.#stepOf.get(key)
      if (key === 'step' || key === 'epoch' || step < (known ?? -Infinity)) continue
      if (known === undefined && this.metrics.size >= mostKeys) this.isCut = true
      else {
        this.#stepOf.set(key, step)
        this.#epochOf.set(key, epoch)
        this.metrics.set(key, value)
      }
    }
  }

  #judge(entry: Meta, step: number): void {
    for (const [key, value] of entry) {
      if (typeof value !== 'number' || !isMeasured(key)) continue
      const known = this.#extremes.get(key) ?? { least: value, most: value }
      this.#extremes.set(key, { least: Math.min(known.least, value), most: Math.max(known.most, value) })
      const isThere = this.#bestStep === null || step === this.#bestStep
      if (value === this.best && isThere && this.#extremes.size <= mostKeys) this.#judged.add(key)
    }
  }

  /** The state holds only the value that was best: by which metric it was, and which way, is what the log shows. */
  judgement(): Omit<Best, 'path'> {
    const value = toFinite(this.best)
    const known = [...this.#judged].filter((key) => directionOf(key) !== undefined)
    const [metric = null, another] = known.length > 0 ? known : [...this.#judged]
    // Two metrics with the same value (accuracy and micro F1) have the same best, but for what rounding does.
    if (metric === null || value === null) return { value, metric: null, direction: null }
    const { least, most } = this.#extremes.get(metric) ?? { least: value, most: value }
    const direction = least === most ? null : value === least ? 'min' : value === most ? 'max' : null
    return { value, metric: another === undefined || known.length > 0 ? metric : null, direction }
  }

  /**
   * By key, where a value was measured that is of another step. The Trainer writes the whole history into each
   * checkpoint: the last evaluation before a save is that of other weights. The training log has means over the steps
   * since its last entry, so that what was logged within one such interval (`every` steps) tells of this checkpoint.
   */
  measuredElsewhere(every: number): ReadonlyMap<string, Moment> {
    const last = this.#last
    const isOwn = (key: string, step: number) =>
      last === Infinity || step === last || (step > last - every && !isMeasured(key))
    return new Map(
      [...this.#stepOf].flatMap(([key, step]) => {
        const epoch = this.#epochOf.get(key) ?? null
        const moment = { ...(step === -Infinity ? {} : { step }), ...(epoch === null ? {} : { epoch }) }
        return isOwn(key, step) ? [] : [[key, moment] as const]
      }),
    )
  }
}

function toCheckpoint(run: string, candidate: Candidate, state: State): Checkpoint {
  return {
    name: candidate.name,
    ...oneMember(candidate.path, 'directory'),
    run,
    layout: id,
    meta: state.meta,
    step: toFinite(state.meta.get('step')) ?? stepOfName(candidate.name),
    epoch: toFinite(state.meta.get('epoch')),
    unixtime: null,
    modified: null,
    files: paramFilesOf(candidate),
    size: null,
    health: healthFrom('none', [...candidate.findings, ...state.findings, ...findNoWeights(candidate)]),
    pointsTo: pointersOf(state.best),
    ...directionsOf(state.best),
    ...(state.measuredAt.size === 0 ? {} : { measuredAt: state.measuredAt }),
  }
}

const stateStems = /^(optimizer|scheduler|scaler|rng_state(_\d+)?|training_args)$/

/** A finished folder where nothing can be the model: neither a file of tensors nor a folder of a parallel strategy. */
function findNoWeights(candidate: Candidate): Finding[] {
  if (candidate.claim !== 'finished') return []
  const canHoldWeights = (entry: Entry): boolean =>
    entry.kind === 'directory' ||
    entry.kind === 'link' ||
    (paramSuffix.test(entry.name) && !stateStems.test(stemOf(entry.name)))
  if (candidate.entries.some(canHoldWeights)) return []
  return [{ grade: 'partial', reason: 'no model weights are there' }]
}

function stepOfName(name: string): number | null {
  const step = Number(name.slice('checkpoint-'.length))
  return Number.isSafeInteger(step) ? step : null
}

/** The path is as the job saw it, perhaps on another machine: its last part is the name here. */
function nameIn(path: string): string | undefined {
  return path.split(/[/\\]/).findLast((part) => part !== '')
}

function pointersOf(best: Best | null): Pointer[] {
  const name = best === null ? undefined : nameIn(best.path)
  if (best === null || name === undefined) return []
  const { metric, value } = best
  const judged = { ...(metric === null ? {} : { metric }), ...(value === null ? {} : { value }) }
  return [{ label: 'best_model_checkpoint', name, purpose: 'best', ...judged }]
}

function directionsOf(best: Best | null): Pick<Checkpoint, 'directions'> {
  const { metric = null, direction = null } = best ?? {}
  return metric === null || direction === null ? {} : { directions: new Map([[metric, direction]]) }
}

const paramSuffix = /(\.(safetensors|bin)\.index\.json|\.(safetensors|bin|pt|pth|ckpt|h5|msgpack))$/

/**
 * The files that hold tensors or state. The key is the name without its suffix, so that `model` and `optimizer` mean
 * here what they mean in SpeechBrain; an index stands for its shards and has the key that one file would have had
 * (`model.safetensors.index.json`: `model`). Files that would share a key keep their whole names.
 */
function paramFilesOf(candidate: Candidate): ParamFile[] {
  const entries = candidate.entries.filter((entry) => entry.kind !== 'directory' && paramSuffix.test(entry.name))
  const counts = new Map<string, number>()
  for (const { name } of entries) counts.set(stemOf(name), (counts.get(stemOf(name)) ?? 0) + 1)
  return entries
    .map((entry) => ({
      key: counts.get(stemOf(entry.name)) === 1 ? stemOf(entry.name) : entry.name,
      path: candidate.path + sep + entry.name,
      size: null,
      role: roleOf(entry),
      ...(isOptional(entry.name) ? { optional: true } : {}),
    }))
    .sort((a, b) => compareText(a.key, b.key))
}

function stemOf(name: string): string {
  return name.replace(paramSuffix, '')
}
