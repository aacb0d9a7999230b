/** The table of all runs, with what narrows it. */
import type { ReportData, RunData } from '../report/data.js'
import { element, filterField, section } from './dom.js'
import { matcherOf, type Filterable } from './filter.js'
import { SortableTable, type Column } from './table.js'
import { numberOf, shownSize, shownTime, shownValue, sortValueOf } from './values.js'

/** Metrics that have a column. */
const fewMetrics = 4

export class RunsSection {
  readonly root: HTMLElement
  readonly #table: SortableTable<RunData>
  readonly #count = element('p', { role: 'status', class: 'count' })
  #data: ReportData
  #text = ''

  constructor(data: ReportData) {
    this.#data = data
    this.#table = new SortableTable({ id: 'runs-table', caption: 'Runs', columns: columnsOf(data), rows: data.runs })
    const filter = filterField('Only runs with', 'seed1, lr < 0.001, WER < 15', (text) => {
      this.#text = text
      this.#filter()
    })
    this.root = section('runs', 'Runs', element('div', { class: 'controls' }, filter), this.#count, this.#table.root)
    this.#filter()
  }

  update(data: ReportData): void {
    this.#data = data
    this.#filter()
  }

  #filter(): void {
    const matches = matcherOf(this.#text)
    const { runs } = this.#data
    const shown = runs.filter((run) => matches(filterableOf(run)))
    this.#table.update(shown, columnsOf(this.#data))
    this.#count.textContent =
      shown.length === runs.length ? `${runs.length} runs` : `${shown.length} of ${runs.length} runs`
  }
}

function columnsOf(data: ReportData): Column<RunData>[] {
  const metrics = [...new Set(data.runs.flatMap(({ best }) => best.map(({ metric }) => metric)))].slice(0, fewMetrics)
  return [
    { title: 'Run', value: ({ label }) => label },
    { title: 'Layout', value: ({ layouts }) => layouts.join(', ') },
    { title: 'Checkpoints', isNumber: true, value: ({ checkpoints }) => checkpoints.length },
    { title: 'Newest', value: newestTime, cell: (run) => shownTime(newestTime(run)) },
    { title: 'Epoch', isNumber: true, value: ({ checkpoints: [newest] }) => newest?.epoch ?? null },
    { title: 'Step', isNumber: true, value: ({ checkpoints: [newest] }) => newest?.step ?? null },
    ...metrics.map((metric): Column<RunData> => ({
      title: `Best ${metric}`,
      isNumber: true,
      value: (run) => sortValueOf(bestOf(run, metric)),
      cell: (run) => shownValue(bestOf(run, metric)),
    })),
    { title: 'Findings', isNumber: true, value: findingsIn },
    { title: 'Size', isNumber: true, value: ({ size }) => size, cell: ({ size }) => shownSize(size) },
  ]
}

/** By its settings, else by its best values, else by what the table says of it. */
function filterableOf(run: RunData): Filterable {
  const { label, layouts, hyperparameters, checkpoints, size } = run
  const [newest] = checkpoints
  const known = {
    epoch: newest?.epoch,
    step: newest?.step,
    size,
    checkpoints: checkpoints.length,
    findings: findingsIn(run),
  }
  const own = new Map<string, number | null | undefined>(Object.entries(known))
  const setting = (name: string) => (Object.hasOwn(hyperparameters, name) ? hyperparameters[name] : undefined)
  return {
    text: [label, ...layouts].join(' ').toLowerCase(),
    numberAt: (key) => numberOf(setting(key)) ?? numberOf(bestOf(run, key)) ?? own.get(key) ?? undefined,
  }
}

function bestOf({ best }: RunData, metric: string): unknown {
  return best.find((one) => one.metric === metric)?.value
}

function findingsIn({ checkpoints }: RunData): number {
  return checkpoints.filter(({ findings }) => findings.length > 0).length
}

function newestTime({ checkpoints: [newest] }: RunData): number | null {
  return newest?.time ?? null
}
