/** What stands in a run's journal: one JSON object a line, each a thing that happened. Times are Unix seconds. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../formats/json.js'

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
  /** When that process started, in the system's own unit; null where that cannot be told. */
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
}

export type Next = 'restart' | 'requeue' | 'nothing'

/** The job was put back into the scheduler's queue: once for each of its restarts. */
export interface RequeueEntry {
  readonly what: 'requeue'
  readonly time: number
  readonly job: JobName
}

/** A checkpoint from which several starts brought nothing, or the mark taken back. */
export interface SetAsideEntry {
  readonly what: 'set-aside' | 'taken-back'
  readonly time: number
  readonly checkpoint: string
}

export type JournalEntry = StartEntry | CheckpointEntry | EndEntry | RequeueEntry | SetAsideEntry

/** One line, with its end. */
export function lineOf(entry: JournalEntry): string {
  const plain = entry.what === 'checkpoint' ? { ...entry, metrics: Object.fromEntries(entry.metrics) } : entry
  return `${JSON.stringify(plain)}\n`
}

/** Null for what is no entry that this version knows. */
export function toEntry(value: JsonValue): JournalEntry | null {
  if (!isJsonObject(value)) return null
  const fields = new Fields(value)
  const time = fields.number('time')
  if (time === null) return null
  switch (fields.text('what')) {
    case 'start':
      return toStart(fields, time)
    case 'checkpoint':
      return toCheckpoint(fields, time)
    case 'end':
      return toEnd(fields, time)
    case 'requeue': {
      const job = toJob(value.get('job'))
      return job === null ? null : { what: 'requeue', time, job }
    }
    case 'set-aside':
    case 'taken-back': {
      const checkpoint = fields.text('checkpoint')
      const what = fields.text('what') === 'set-aside' ? 'set-aside' : 'taken-back'
      return checkpoint === null ? null : { what, time, checkpoint }
    }
    default:
      return null
  }
}

function toStart(fields: Fields, time: number): StartEntry {
  return {
    what: 'start',
    time,
    attempt: fields.number('attempt') ?? 1,
    reason: fields.text('reason') ?? '',
    checkpoint: fields.text('checkpoint'),
    ...(fields.get('inTheWay') === undefined ? {} : { inTheWay: fields.texts('inTheWay') }),
    command: fields.texts('command'),
    host: fields.text('host') ?? '',
    pid: fields.number('pid'),
    started: fields.text('started'),
    job: toJob(fields.get('job')),
  }
}

function toCheckpoint(fields: Fields, time: number): CheckpointEntry | null {
  const name = fields.text('name')
  if (name === null) return null
  const metrics = fields.get('metrics')
  return {
    what: 'checkpoint',
    time,
    name,
    saved: fields.number('saved'),
    epoch: fields.number('epoch'),
    step: fields.number('step'),
    metrics: new Map(
      isJsonObject(metrics)
        ? [...metrics].map(([key, value]): [string, number] => [key, typeof value === 'number' ? value : NaN])
        : [],
    ),
  }
}

function toEnd(fields: Fields, time: number): EndEntry {
  const next = fields.text('next')
  return {
    what: 'end',
    time,
    ending: fields.text('ending') ?? '',
    why: fields.text('why') ?? '',
    status: fields.number('status') ?? 1,
    seconds: fields.number('seconds') ?? 0,
    lost: fields.number('lost') ?? 0,
    next: next === 'restart' || next === 'requeue' ? next : 'nothing',
  }
}

function toJob(value: JsonValue | undefined): JobName | null {
  if (!isJsonObject(value)) return null
  const fields = new Fields(value)
  const [scheduler, id] = [fields.text('scheduler'), fields.text('id')]
  return scheduler === null || id === null ? null : { scheduler, id, restarts: fields.number('restarts') ?? 0 }
}

/** The values of an object, each of the type asked for or null. */
class Fields {
  constructor(private readonly object: JsonObject) {}

  get(key: string): JsonValue | undefined {
    return this.object.get(key)
  }

  text(key: string): string | null {
    const value = this.object.get(key)
    return typeof value === 'string' ? value : null
  }

  number(key: string): number | null {
    const value = this.object.get(key)
    return typeof value === 'number' ? value : null
  }

  texts(key: string): string[] {
    const value = this.object.get(key)
    return Array.isArray(value) ? (value as readonly JsonValue[]).filter((one) => typeof one === 'string') : []
  }
}
