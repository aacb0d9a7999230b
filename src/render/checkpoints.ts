/** Checkpoints as rows: what `list` shows of each. */
import {
  canBeResumed,
  describeLacks,
  isMeta,
  isSound,
  timeOf,
  type Checkpoint,
  type Grade,
  type Health,
  type MetaValue,
  type Moment,
} from '../core/checkpoint.js'
import { scopeOf } from '../core/choosing/selection/index.js'
import type { Paint } from './colours.js'
import { abridgeLists, type Named } from './name-lists.js'
import { printable } from './printable.js'
import type { Column } from './table.js'
import { formatAge, formatNumber, numberOrDash, sizeOrDash } from './units.js'

export interface Row {
  readonly checkpoint: Checkpoint
  /** `latest`, `best WER`, … */
  readonly marks: readonly string[]
  /** Where several trainings lie in the folder, which one it is of: 1 is the oldest. */
  readonly training?: number | undefined
  /** Metrics by which it is the best. */
  readonly bestBy?: ReadonlySet<string> | undefined
}

export interface RowContext {
  /** Unix seconds. */
  readonly now: number
  /** Of damage the grade alone: its cause stands elsewhere. */
  readonly brief: boolean
  readonly paint: Paint
}

/** Other grades are bad news. */
export const gradeColours: Partial<Record<Grade, 'good' | 'faint' | 'warning'>> = {
  whole: 'good',
  unchecked: 'faint',
  unreadable: 'warning',
}

/** Columns of a terminal: the stamp of a SpeechBrain checkpoint, which people paste, stays whole. */
const leastName = 28

type Known = Record<string, (context: RowContext) => Column<Row>>

/** Columns that are not meta keys. */
const knownColumns: Known = {
  name: () => ({
    title: 'NAME',
    shortens: true,
    least: leastName,
    cell: ({ checkpoint }) => printable(checkpoint.name),
  }),
  run: () => ({ title: 'RUN', cell: ({ checkpoint }) => printable(checkpoint.run) }),
  path: () => ({ title: 'PATH', cell: ({ checkpoint }) => printable(checkpoint.path) }),
  age: ({ now }) => ({ title: 'AGE', align: 'right', leaves: 0.5, cell: ({ checkpoint }) => ageOf(checkpoint, now) }),
  time: () => ({ title: 'TIME', cell: ({ checkpoint }) => isoTime(timeOf(checkpoint)) }),
  epoch: () => ({
    title: 'EPOCH',
    align: 'right',
    leaves: 0.8,
    cell: ({ checkpoint }) => numberOrDash(checkpoint.epoch),
  }),
  step: () => ({ title: 'STEP', align: 'right', leaves: 1.5, cell: ({ checkpoint }) => numberOrDash(checkpoint.step) }),
  size: () => ({ title: 'SIZE', align: 'right', leaves: 0.6, cell: ({ checkpoint }) => sizeOrDash(checkpoint.size) }),
  training: () => ({ title: 'TRAINING', align: 'right', cell: ({ training }) => numberOrDash(training) }),
  layout: () => ({ title: 'LAYOUT', cell: ({ checkpoint }) => checkpoint.layout }),
  files: () => ({
    title: 'FILES',
    cell: ({ checkpoint }) => checkpoint.files.map((file) => printable(file.key)).join(','),
  }),
  health: ({ paint }) => ({
    title: 'HEALTH',
    cell: ({ checkpoint }) => checkpoint.health.grade,
    paint: ({ checkpoint: { health } }, text) => paint(gradeColours[health.grade] ?? 'bad', text),
  }),
  resumable: ({ paint }) => ({
    title: 'RESUMABLE',
    cell: ({ checkpoint }) => resumableText(checkpoint),
    paint: ({ checkpoint }, text) => paint(canBeResumed(checkpoint) ? 'good' : 'bad', text),
  }),
  marks: ({ paint, brief }) => ({
    title: 'MARKS',
    cuts: true,
    least: 24,
    leaves: 0.4,
    cell: (row) => marksOf(row, brief).join(', '),
    abridges: (rows, width) =>
      abridgeLists(
        rows.map((row) => marksOf(row, brief).map(namesIn)),
        { separator: ' ', width },
      ),
    paint: ({ checkpoint }, text) => paint(isSound(checkpoint) ? 'accent' : 'bad', text),
  }),
}

/** The column of that name; any other name is a key of the meta. */
export function columnFor(name: string, context: RowContext): Column<Row> {
  const known = isMetaColumn(name) ? undefined : knownColumns[name]
  if (known !== undefined) return known(context)
  return {
    title: printable(name),
    align: 'right',
    leaves: 1,
    cell: ({ checkpoint }) => {
      const moment = checkpoint.measuredAt?.get(name)
      if (moment !== undefined) return `${formatMeta(checkpoint.meta.get(name))}${describeMoment(moment)}`
      return formatMeta(scopeOf(checkpoint, context.now).get(name))
    },
    paint: ({ checkpoint, bestBy }, text) => {
      if (checkpoint.measuredAt?.has(name) === true) return context.paint('faint', text)
      return bestBy?.has(name) === true ? context.paint('title', text) : text
    },
  }
}

/** Where a value was measured that is not of the checkpoint's own step: `@6`, as in `0.51@6`. */
function describeMoment({ step, epoch }: Moment): string {
  if (step !== undefined) return `@${formatNumber(step)}`
  return epoch === undefined ? '@?' : `@epoch ${formatNumber(epoch)}`
}

/** True for a column that shows a key of the meta. */
export function isMetaColumn(name: string): boolean {
  return !Object.hasOwn(knownColumns, name)
}

function marksOf({ checkpoint: { health }, marks }: Row, brief: boolean): string[] {
  const damage = health.findings.length === 0 ? [] : [brief ? health.grade : summarise(health)]
  return [...marks.map(printable), ...damage]
}

/** Of `best WER loss` the metrics, of `same as last.ckpt` the checkpoint. */
function namesIn(mark: string): Named {
  if (mark.startsWith('best ')) {
    return { lead: 'best ', names: mark.slice('best '.length).split(' '), counted: (count) => `best by ${count}` }
  }
  if (mark.startsWith('same as ')) return { lead: 'same as ', names: [mark.slice('same as '.length)] }
  return { lead: mark, names: [] }
}

/** `corrupt: CKPT.yaml is empty (+1)`. */
export function summarise(health: Health): string {
  const [first] = health.findings
  const more = health.findings.length > 1 ? ` (+${health.findings.length - 1} more)` : ''
  return first === undefined ? health.grade : `${health.grade}: ${describeFinding(first)}${more}`
}

export function describeFinding(finding: Health['findings'][number]): string {
  return printable(finding.file === undefined ? finding.reason : `${finding.file}: ${finding.reason}`)
}

/** `yes`, `yes (no random state)`, `no (no optimizer, no scheduler)`, `no (corrupt)`. */
export function resumableText(checkpoint: Checkpoint): string {
  const lacks = checkpoint.demoted === undefined ? describeLacks(checkpoint) : 'demoted'
  const why = isSound(checkpoint) ? lacks : checkpoint.health.grade
  return `${canBeResumed(checkpoint) ? 'yes' : 'no'}${why === null ? '' : ` (${why})`}`
}

function ageOf(checkpoint: Checkpoint, now: number): string {
  const time = timeOf(checkpoint)
  return time === null ? '-' : formatAge(now - time)
}

/** UTC, for logs of several machines side by side. */
export function isoTime(seconds: number | null): string {
  if (seconds === null || !(Math.abs(seconds) < 8.64e12)) return '-'
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** Numbers have at most `digits` significant digits. */
export function formatMeta(value: MetaValue | undefined, digits = 5): string {
  if (value === undefined) return '-'
  if (typeof value === 'number' || typeof value === 'bigint') return formatNumber(value, digits)
  if (typeof value === 'string') return printable(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (isMeta(value)) {
    return `{${[...value].map(([key, item]) => `${printable(key)}: ${formatMeta(item, digits)}`).join(', ')}}`
  }
  if (Array.isArray(value)) return `[${value.map((item: MetaValue) => formatMeta(item, digits)).join(', ')}]`
  return printable('text' in value ? value.text : '')
}

/** A checkpoint as `--json` gives it (docs/json.md). */
export function toDocument(checkpoint: Checkpoint): Record<string, unknown> {
  return {
    name: checkpoint.name,
    path: checkpoint.path,
    layout: checkpoint.layout,
    time: timeOf(checkpoint),
    step: checkpoint.step,
    epoch: checkpoint.epoch,
    meta: checkpoint.meta,
    ...(checkpoint.measuredAt === undefined ? {} : { measuredAt: momentsOf(checkpoint.measuredAt) }),
    files: new Map(checkpoint.files.map((file) => [file.key, { path: file.path, size: file.size }])),
    size: checkpoint.size,
    health: checkpoint.health.grade,
    findings: checkpoint.health.findings,
    resumable: canBeResumed(checkpoint),
    ...(checkpoint.lacks === undefined ? {} : { lacks: checkpoint.lacks }),
    ...(checkpoint.sameAs === undefined ? {} : { sameAs: checkpoint.sameAs }),
    ...(checkpoint.demoted === undefined ? {} : { demoted: checkpoint.demoted.map(({ name }) => name) }),
  }
}

function momentsOf(moments: ReadonlyMap<string, Moment>): Map<string, object> {
  return new Map([...moments].map(([key, { step = null, epoch = null }]) => [key, { step, epoch }]))
}
