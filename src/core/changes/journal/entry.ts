/** What stands in a run's journal: one JSON object a line, each a thing that happened. Times are Unix seconds. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../formats/text/json.js'
import { isCheckpointName, isChildPid, isCount, isText, isTime } from '../state/schema.js'

/** The job of a scheduler that an attempt belonged to. */
export interface JobName {
  readonly scheduler: string
  readonly id: string
  /** How often it had been put back into the queue. */
  readonly restarts: number
}

export interface StartEntry {
  readonly what: 'start'
  readonly time: number
  /** From 1, over all starts of one `ckpt run`, and of one job of a scheduler. */
  readonly attempt: number
  /** Why: `first`, or how the attempt before it ended. */
  readonly reason: string
  /** What it resumed from; null: from scratch. */
  readonly checkpoint: string | null
  /** Others that its framework may have taken before that one. Absent: none. */
  readonly inTheWay?: readonly string[]
  /** As typed, placeholders unfilled. */
  readonly command: readonly string[]
  readonly host: string
  /** Of the process that was started; null where it could not be. */
  readonly pid: number | null
  /** When that process started, in the system's own unit; null where that is unknown. */
  readonly started: string | null
  readonly job: JobName | null
}

export interface CheckpointEntry {
  readonly what: 'checkpoint'
  /** When it was first seen whole. */
  readonly time: number
  readonly name: string
  /** What it says itself, else its file's time. */
  readonly saved: number | null
  readonly epoch: number | null
  readonly step: number | null
  /** The numbers of its meta: they are asked for when it has long been pruned. NaN where JSON has no number. */
  readonly metrics: ReadonlyMap<string, number>
}

/** Tells checkpoints of a run apart: one that is saved anew under its old name is another. */
export function identityOf({ name, saved }: Pick<CheckpointEntry, 'name' | 'saved'>): string {
  return `${saved ?? ''} ${name}`
}

export interface EndEntry {
  readonly what: 'end'
  readonly time: number
  readonly ending: string
  /** For people: `exit status 1`. */
  readonly why: string
  /** The exit status, 128 + N when killed by signal N. */
  readonly status: number
  /** How long it ran. */
  readonly seconds: number
  /** Seconds of work since the last whole checkpoint, which are to be done again; 0 when done. */
  readonly lost: number
  /** What ckpt did then. */
  readonly next: Next
  /** Checkpoints that it was seen to read, of those that were there at its start. Absent: none was seen. */
  readonly opened?: readonly string[]
  /** It had read none of them, as their file system tells. Absent: it had, or that is not known. */
  readonly unread?: true
}

export type Next = 'restart' | 'requeue' | 'nothing'

/** The job was put back into the scheduler's queue: once for each of its restarts. */
export interface RequeueEntry {
  readonly what: 'requeue'
  readonly time: number
  readonly job: JobName
}

/** A checkpoint is set aside, for several starts from it saved no new one; or that mark is taken back. */
export interface SetAsideEntry {
  readonly what: 'set-aside' | 'taken-back'
  readonly time: number
  readonly checkpoint: string
}

/** What became of a checkpoint: gone, in the trash, without what only resuming needs, back, gone from the trash. */
export const removals = ['removed', 'trashed', 'demoted', 'restored', 'emptied'] as const

/** The process that did it. */
export interface Doer {
  /** The user's number; null where the system has none. */
  readonly user: number | null
  readonly host: string
  readonly pid: number
  /** As typed, `ckpt prune`. */
  readonly command: string
}

export interface RemovalEntry {
  /** `removing`: it is about to go. What follows for its name tells what became of it; nothing where ckpt was killed. */
  readonly what: (typeof removals)[number] | 'removing'
  readonly time: number
  readonly name: string
  readonly by: Doer
  /** Why it went: its line in the plan. */
  readonly reason: string
  /** What was asked for: `--keep 2 --min WER`. */
  readonly policy: string
  readonly epoch: number | null
  readonly step: number | null
  /** As of a CheckpointEntry; of what came from the trash, as it was when it went there. */
  readonly metrics: ReadonlyMap<string, number>
}

/** It was about to go, and is still there. */
export interface StaysEntry {
  readonly what: 'stays'
  readonly time: number
  readonly name: string
}

export type JournalEntry =
  StaysEntry | StartEntry | CheckpointEntry | EndEntry | RequeueEntry | SetAsideEntry | RemovalEntry

/** One line, with its end. */
export function lineOf(entry: JournalEntry): string {
  const plain = 'metrics' in entry ? { ...entry, metrics: Object.fromEntries(entry.metrics) } : entry
  return `${JSON.stringify(plain)}\n`
}

/** Null for what is not an entry that this version knows, or has a value that ckpt cannot have written. */
export function toEntry(value: JsonValue): JournalEntry | null {
  if (!isJsonObject(value)) return null
  const fields = new Fields(value)
  const entry = readEntry(fields, fields.get('what'))
  return fields.fit ? entry : null
}

function readEntry(fields: Fields, what: JsonValue | undefined): JournalEntry | null {
  const time = fields.require('time', isTime)
  if (time === null) return null
  switch (what) {
    case 'start':
      return toStart(fields, time)
    case 'checkpoint':
      return toCheckpoint(fields, time)
    case 'end':
      return toEnd(fields, time)
    case 'requeue': {
      const job = toJob(fields, 'job')
      return job === null ? null : { what, time, job }
    }
    case 'set-aside':
    case 'taken-back': {
      const checkpoint = fields.require('checkpoint', isCheckpointName)
      return checkpoint === null ? null : { what, time, checkpoint }
    }
    case 'removed':
    case 'trashed':
    case 'demoted':
    case 'restored':
    case 'emptied':
    case 'removing':
      return toRemoval(fields, what, time)
    case 'stays': {
      const name = fields.require('name', isCheckpointName)
      return name === null ? null : { what, time, name }
    }
    default:
      return null
  }
}

function toRemoval(fields: Fields, what: RemovalEntry['what'], time: number): RemovalEntry | null {
  const name = fields.require('name', isCheckpointName)
  const by = fields.require('by', isJsonObject)
  if (name === null || by === null) return null
  const inner = new Fields(by)
  const doer = {
    user: inner.read('user', isCount),
    host: inner.read('host', isText) ?? '',
    pid: inner.read('pid', isCount) ?? 0,
    command: inner.read('command', isText) ?? '',
  }
  if (!inner.fit) fields.fit = false
  return {
    ...{ what, time, name, by: doer },
    reason: fields.read('reason', isText) ?? '',
    policy: fields.read('policy', isText) ?? '',
    epoch: fields.read('epoch', isNumber),
    step: fields.read('step', isNumber),
    metrics: toMetrics(fields),
  }
}

function toMetrics(fields: Fields): ReadonlyMap<string, number> {
  const metrics = fields.read('metrics', isMetrics) ?? new Map<string, JsonValue>()
  return new Map([...metrics].map(([key, value]): [string, number] => [key, typeof value === 'number' ? value : NaN]))
}

function toStart(fields: Fields, time: number): StartEntry {
  const inTheWay = fields.read('inTheWay', isNames)
  return {
    what: 'start',
    time,
    attempt: fields.read('attempt', isCount) ?? 1,
    reason: fields.read('reason', isText) ?? '',
    checkpoint: fields.read('checkpoint', isCheckpointName),
    ...(inTheWay === null ? {} : { inTheWay }),
    command: fields.read('command', isCommand) ?? [],
    host: fields.read('host', isText) ?? '',
    pid: fields.read('pid', isChildPid),
    started: fields.read('started', isText),
    job: toJob(fields, 'job'),
  }
}

function toCheckpoint(fields: Fields, time: number): CheckpointEntry | null {
  const name = fields.require('name', isCheckpointName)
  if (name === null) return null
  return {
    what: 'checkpoint',
    time,
    name,
    saved: fields.read('saved', isTime),
    epoch: fields.read('epoch', isNumber),
    step: fields.read('step', isNumber),
    metrics: toMetrics(fields),
  }
}

function toEnd(fields: Fields, time: number): EndEntry {
  const next = fields.read('next', isText)
  const opened = fields.read('opened', isNames)
  return {
    what: 'end',
    time,
    ending: fields.read('ending', isText) ?? '',
    why: fields.read('why', isText) ?? '',
    status: fields.read('status', isCount) ?? 1,
    seconds: fields.read('seconds', isTime) ?? 0,
    lost: fields.read('lost', isTime) ?? 0,
    next: next === 'restart' || next === 'requeue' ? next : 'nothing',
    ...(opened === null ? {} : { opened }),
    ...(fields.read('unread', isTrue) === null ? {} : { unread: true }),
  }
}

function toJob(fields: Fields, key: string): JobName | null {
  const value = fields.read(key, isJsonObject)
  if (value === null) return null
  const inner = new Fields(value)
  const [scheduler, id] = [inner.require('scheduler', isText), inner.require('id', isText)]
  const restarts = inner.read('restarts', isCount) ?? 0
  if (!inner.fit) fields.fit = false
  return scheduler === null || id === null ? null : { scheduler, id, restarts }
}

/** Arguments of one command: Linux takes no longer one (execve(2), MAX_ARG_STRLEN), and hardly more of them. */
const longestArgument = 131_072
const mostArguments = 100_000
/** Checkpoints that lay in the way of one start, or were read by one; numbers in one meta. */
const mostNames = 10_000
const mostMetrics = 20_000

function isNumber(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isTrue(value: JsonValue | undefined): value is true {
  return value === true
}

function isNames(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.length <= mostNames && value.every(isCheckpointName)
}

function isCommand(value: JsonValue | undefined): value is readonly string[] {
  if (!Array.isArray(value) || value.length > mostArguments) return false
  return (value as readonly JsonValue[]).every((one) => typeof one === 'string' && one.length <= longestArgument)
}

function isMetrics(value: JsonValue | undefined): value is JsonObject {
  return isJsonObject(value) && value.size <= mostMetrics && [...value.keys()].every(isText)
}

/** The values of an object, each within its bounds. One that is not makes the whole entry none of ckpt's. */
class Fields {
  fit = true

  constructor(private readonly object: JsonObject) {}

  get(key: string): JsonValue | undefined {
    return this.object.get(key)
  }

  /** Null where there is none. */
  read<T extends JsonValue>(key: string, fits: (value: JsonValue | undefined) => value is T): T | null {
    const value = this.object.get(key)
    if (value === undefined || value === null) return null
    if (fits(value)) return value
    this.fit = false
    return null
  }

  require<T extends JsonValue>(key: string, fits: (value: JsonValue | undefined) => value is T): T | null {
    const value = this.read(key, fits)
    if (value === null) this.fit = false
    return value
  }
}
