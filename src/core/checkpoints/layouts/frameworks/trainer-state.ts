/**
 * What a Trainer's `trainer_state.json` says of the checkpoint that it lies in
 * (transformers/trainer_callback.py, `TrainerState`).
 */
import {
  isMeta,
  type Direction,
  type Finding,
  type LogMark,
  type Meta,
  type MetaValue,
  type Moment,
  type Pointer,
} from '../../../checkpoint.js'
import { readJsonObject, type JsonObject } from '../../../formats/text/json.js'
import { directionOf, longestKey, mostKeys } from '../../meta/index.js'
import { lastPart } from '../engine/pointers.js'
import { quoteValue, toFinite } from '../finite-number.js'
import type { Picked } from '../spec.js'

/** What the Trainer holds for the best, as far as its log shows it. */
interface Judgement {
  readonly value: number | null
  /** The metric that had this value where it was best. */
  readonly metric: string | null
  readonly direction: Direction | null
}

const facts = new Set([
  'global_step',
  'epoch',
  'best_model_checkpoint',
  'best_metric',
  'best_global_step',
  'logging_steps',
  'save_steps',
  'train_batch_size',
  'max_steps',
  'num_train_epochs',
])

/**
 * The facts of a state; what its log shows of the best as `#best…`. The log of a long run has tens of megabytes: it is
 * read entry by entry. Throws FormatError.
 */
export function tellTrainerState(text: Uint8Array): Picked {
  let log = new Log(new Map())
  const onItem = (entry: MetaValue): void => log.add(entry)
  const onList = (before: JsonObject): void => void (log = new Log(before))
  const state = readJsonObject(text, { keys: facts, list: 'log_history', onList, onItem })
  if (state === null) return wrong('no JSON object')
  const step = state.get('global_step')
  if (typeof step === 'string' || typeof step === 'boolean' || typeof step === 'object') {
    return wrong(`global_step is not a number, but ${quoteValue(step)}`)
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
  copyFact(state.get('best_model_checkpoint'), 'best_model_checkpoint', meta)
  if (typeof state.get('best_model_checkpoint') === 'string') {
    for (const [key, value] of Object.entries<MetaValue>({ ...log.judgement() })) copyFact(value, `#best ${key}`, meta)
  }
  const measuredAt = log.measuredElsewhere(loggedEvery(state))
  const findings = [...(log.isCut ? [tooManyMetrics] : []), ...(log.hasLongKey ? [tooLongName] : [])]
  return { meta, measuredAt, findings, training: { log: log.marks, settings: settingsOf(state) } }
}

/** What another training in the same folder would have otherwise. */
function settingsOf(state: JsonObject): Map<string, string> {
  const named = { 'batch size': 'train_batch_size', 'all steps': 'max_steps', 'all epochs': 'num_train_epochs' }
  return new Map(
    Object.entries(named).flatMap(([what, key]): [string, string][] => {
      const value = toFinite(state.get(key))
      return value === null || value <= 0 ? [] : [[what, String(value)]]
    }),
  )
}

function wrong(reason: string): Picked {
  return { meta: [], findings: [corruptState(reason)] }
}

function corruptState(reason: string): Finding {
  return { grade: 'corrupt', file: 'trainer_state.json', reason }
}

const noFacts: ReadonlySet<string> = new Set()

/** A fork later than that in the log shows by times alone. */
const mostMarks = 4096

const tooManyMetrics = corruptState(`its log has more than ${mostKeys} metrics; at most that many are read`)

const tooLongName = corruptState(
  `its log names a metric with more than ${longestKey} characters; at most that many are read`,
)

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
  readonly marks: LogMark[] = []
  isCut = false
  hasLongKey = false

  /** `facts` are those of the state that are known before its log. */
  constructor(facts: JsonObject) {
    this.step = facts.get('global_step')
    this.best = facts.get('best_metric')
    this.#last = toFinite(this.step) ?? Infinity
    const path = facts.get('best_model_checkpoint')
    const named = typeof path === 'string' ? stepOfName(lastPart(path)) : null
    this.#bestStep = toFinite(facts.get('best_global_step')) ?? named
  }

  add(entry: MetaValue): void {
    if (!isMeta(entry)) return
    const step = toFinite(entry.get('step')) ?? -Infinity
    if (step > this.#last) return
    const epoch = toFinite(entry.get('epoch'))
    for (const key of entry.keys()) {
      if (key.length <= longestKey) continue
      this.hasLongKey = true
      return
    }
    this.#judge(entry, step)
    if (step >= 0 && this.marks.length < mostMarks) this.marks.push({ step, mark: markOf(entry) })
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
  judgement(): Judgement {
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

const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

/** 32 bits of the numbers in an entry, whatever the order of its keys. */
function markOf(entry: Meta): number {
  let mark = 0
  for (const [key, value] of entry) {
    if (typeof value !== 'number') continue
    double[0] = value
    const low = Math.imul((halves[0] ?? 0) ^ Math.imul(key.length, 0x9e3779b1), 0x85ebca6b)
    const high = Math.imul((halves[1] ?? 0) ^ key.charCodeAt(key.length - 1), 0xc2b2ae35)
    mark = (mark + (low ^ (low >>> 15) ^ high ^ (high >>> 13))) | 0
  }
  return mark
}

function stepOfName(name: string): number | null {
  const step = Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? NaN)
  return Number.isSafeInteger(step) ? step : null
}

/** The checkpoint that the newest facts hold for the best. */
export function bestByState(facts: Meta): Pointer[] {
  const [path, metric, value] = ['best_model_checkpoint', '#best metric', '#best value'].map((key) => facts.get(key))
  // The path is as the job saw it, perhaps on another machine: its last part is the name here.
  const last = typeof path === 'string' ? lastPart(path) : ''
  if (last === '') return []
  return [
    {
      label: 'best_model_checkpoint',
      name: last,
      purpose: 'best',
      ...(typeof metric === 'string' ? { metric } : {}),
      ...(typeof value === 'number' ? { value } : {}),
    },
  ]
}

/** By which metric and in which direction, as far as the log shows it. */
export function judgeOfState(facts: Meta): [string, Direction][] {
  const [metric, direction] = [facts.get('#best metric'), facts.get('#best direction')]
  return typeof metric === 'string' && (direction === 'min' || direction === 'max') ? [[metric, direction]] : []
}
