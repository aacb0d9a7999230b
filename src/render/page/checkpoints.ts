/** The table of all checkpoints, with what narrows it. */
import type { CheckpointData, ReportData, RunData } from '../report/data.js'
import { describeFinding } from './findings.js'
import { checkbox, chooser, element, fillChoices, filterField, section, type Child } from './dom.js'
import { matcherOf } from './filter.js'
import { rowOf, type Row } from './row.js'
import { verdictCell } from './verdict.js'
import { SortableTable, type Column } from './table.js'
import { numberOf, shownSize, shownTime, shownValue, sortValueOf } from './values.js'

/** Metrics that have a column unless more are asked for. */
const fewMetrics = 6

const kinds = [
  { value: 'all', label: 'all checkpoints' },
  { value: 'marked', label: 'with a mark' },
  { value: 'findings', label: 'with findings' },
]
const verdicts = [
  { value: 'stays', label: 'that stay by the policy' },
  { value: 'goes', label: 'that would go' },
]

export class CheckpointsSection {
  readonly root: HTMLElement
  readonly #table: SortableTable<Row>
  readonly #count = element('p', { role: 'status', class: 'count' })
  readonly #runs: HTMLSelectElement
  readonly #kinds: HTMLSelectElement
  readonly #metrics = element('div', { class: 'checks' })
  #data: ReportData
  #rows: readonly Row[]
  #text = ''
  #run = ''
  #kind = 'all'
  #shown: ReadonlySet<string>

  constructor(data: ReportData) {
    this.#data = data
    this.#rows = rowsOf(data)
    this.#shown = new Set(keysOf(data).slice(0, fewMetrics))
    const filter = filterField('Filter', 'best, WER < 15, epoch = 3', (text) => {
      this.#text = text
      this.#filter()
    })
    const runs = chooser('Run', this.#runChoices(), '', (value) => {
      this.#run = value
      this.#filter()
    })
    const chosen = chooser('Show', this.#kindChoices(), 'all', (value) => {
      this.#kind = value
      this.#filter()
    })
    this.#runs = runs.select
    this.#kinds = chosen.select
    this.#table = new SortableTable<Row>({
      id: 'checkpoints-table',
      caption: 'Checkpoints',
      columns: this.#columns(),
      rows: this.#rows,
      details: ({ run, checkpoint }) => detailsOf(run, checkpoint),
      keyOf: ({ run, checkpoint }) => `${run.run}\n${checkpoint.name}`,
    })
    this.root = section(
      'checkpoints',
      'Checkpoints',
      element('div', { class: 'controls' }, filter, ...(data.runs.length > 1 ? [runs.field] : []), chosen.field),
      element('details', { class: 'columns' }, element('summary', {}, 'Columns'), this.#metrics),
      this.#count,
      this.#table.root,
    )
    this.#drawMetrics()
    this.#filter()
  }

  update(data: ReportData): void {
    this.#data = data
    this.#rows = rowsOf(data)
    fillChoices(this.#runs, this.#runChoices(), this.#run)
    fillChoices(this.#kinds, this.#kindChoices(), this.#kind)
    this.#drawMetrics()
    this.#filter()
  }

  #runChoices() {
    return [{ value: '', label: 'all runs' }, ...this.#data.runs.map(({ run, label }) => ({ value: run, label }))]
  }

  #kindChoices() {
    return [...kinds, ...(this.#data.runs.some(({ plan }) => plan !== null) ? verdicts : [])]
  }

  #drawMetrics(): void {
    this.#metrics.replaceChildren(
      ...keysOf(this.#data).map((key) =>
        checkbox(key, this.#shown.has(key), (isOn) => {
          const shown = new Set(this.#shown)
          if (isOn) shown.add(key)
          else shown.delete(key)
          this.#shown = shown
          this.#filter()
        }),
      ),
    )
  }

  #columns(): Column<Row>[] {
    const { runs } = this.#data
    const rows = this.#rows
    const has = (one: (checkpoint: CheckpointData) => unknown) => rows.some(({ checkpoint }) => one(checkpoint) != null)
    return [
      { title: 'Checkpoint', value: ({ checkpoint }) => checkpoint.name },
      ...(runs.length > 1 ? [{ title: 'Run', value: ({ run }: Row) => run.label }] : []),
      {
        title: 'Time',
        value: ({ checkpoint }) => checkpoint.time,
        cell: ({ checkpoint }) => shownTime(checkpoint.time),
      },
      ...(has(({ training }) => training) ? [numberColumn('Training', ({ training }) => training)] : []),
      ...(has(({ epoch }) => epoch) ? [numberColumn('Epoch', ({ epoch }) => epoch)] : []),
      ...(has(({ step }) => step) ? [numberColumn('Step', ({ step }) => step)] : []),
      ...keysOf(this.#data)
        .filter((key) => this.#shown.has(key))
        .map((key) => ({
          ...numberColumn(key, ({ meta }) => (Object.hasOwn(meta, key) ? meta[key] : undefined)),
          id: `meta ${key}`,
        })),
      {
        title: 'Size',
        isNumber: true,
        value: ({ checkpoint }) => checkpoint.size,
        cell: ({ checkpoint }) => shownSize(checkpoint.size),
      },
      {
        title: 'Health',
        value: ({ checkpoint }) => checkpoint.health,
        cell: ({ checkpoint }) => healthCell(checkpoint),
      },
      ...(has(({ stays }) => stays) ? [policyColumn] : []),
      { title: 'Marks', value: ({ checkpoint }) => checkpoint.marks.join(', ') },
    ]
  }

  #filter(): void {
    const matches = matcherOf(this.#text)
    const rows = this.#rows.filter(
      (row) => (this.#run === '' || row.run.run === this.#run) && isOfKind(row.checkpoint, this.#kind) && matches(row),
    )
    this.#table.update(rows, this.#columns())
    const all = this.#rows.length
    this.#count.textContent = rows.length === all ? `${all} checkpoints` : `${rows.length} of ${all} checkpoints`
  }
}

const policyColumn: Column<Row> = {
  title: 'Policy',
  value: ({ checkpoint: { stays } }) => (stays === undefined ? null : stays ? 'stays' : 'goes'),
  cell: ({ checkpoint: { stays } }) => (stays === undefined ? '' : verdictCell(stays)),
}

function numberColumn(title: string, of: (checkpoint: CheckpointData) => unknown): Column<Row> {
  return {
    title,
    isNumber: true,
    value: ({ checkpoint }) => sortValueOf(of(checkpoint)),
    cell: ({ checkpoint }) => shownValue(of(checkpoint) ?? undefined),
  }
}

function healthCell({ health, findings }: CheckpointData): Child {
  if (findings.length > 0) return element('span', { class: 'bad' }, health)
  return health === 'whole' ? element('span', { class: 'good' }, health) : health
}

function isOfKind({ marks, findings, stays }: CheckpointData, kind: string): boolean {
  if (kind === 'marked') return marks.length > 0
  if (kind === 'findings') return findings.length > 0
  if (kind === 'stays') return stays === true
  return kind === 'goes' ? stays === false : true
}

function rowsOf({ runs }: ReportData): Row[] {
  return runs.flatMap((run) => run.checkpoints.map((checkpoint) => rowOf(run, checkpoint)))
}

/** Keys of all runs, those that the most runs have first; of as many in the order of the runs. */
export function keysOf({ runs }: ReportData): string[] {
  const counts = new Map<string, number>()
  for (const { keys } of runs) for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return [...counts].sort(([, a], [, b]) => b - a).map(([key]) => key)
}

function detailsOf(run: RunData, { meta, files, findings, why = [], layout, resumable, marks }: CheckpointData): Node {
  const facts: [string, string][] = [
    ['run', run.run],
    ['layout', layout],
    ['a job can go on from it', resumable ? 'yes' : 'no'],
    ...(marks.length === 0 ? [] : [['marks', marks.join(', ')] as [string, string]]),
    ...(why.length === 0 ? [] : [['policy', why.join('; ')] as [string, string]]),
    ...findings.map((finding): [string, string] => ['finding', describeFinding(finding)]),
    ...Object.entries(meta).map(([key, value]): [string, string] => [key, exactValue(value)]),
    ...Object.entries(files).map(([key, size]): [string, string] => [`file ${key}`, shownSize(size)]),
  ]
  return element(
    'dl',
    {},
    ...facts.map(([term, text]) => element('div', {}, element('dt', {}, term), element('dd', {}, text))),
  )
}

function exactValue(value: unknown): string {
  const number = numberOf(value)
  return number === undefined ? shownValue(value) : String(number)
}
