/** Which rows and columns the tables of `ckpt list` have. */
import { timeOf, type Checkpoint } from '../core/checkpoint.js'
import { isBookkeeping } from '../core/checkpoints/meta/index.js'
import { builtInNames, rank, varyingKeys, type Order } from '../core/choosing/selection/index.js'
import { namesInOrders } from '../core/runs/index.js'
import { isMetaColumn, type Row } from '../render/checkpoints.js'
import { columnNames, type View } from '../render/run.js'
import { changedColumns, parseColumns, type ColumnChoice } from './flags/columns.js'

interface TableFlags {
  readonly columns?: string | undefined
  readonly sort?: string | undefined
  readonly all: boolean
}

/** What `--columns`, `--sort` and `--all` ask of the columns. */
export class ChosenColumns {
  readonly #choice: ColumnChoice | null
  readonly #sort: string | undefined
  /** These and no others. */
  readonly areNamed: boolean
  /** However narrow the terminal. */
  readonly isWide: boolean

  constructor({ columns, sort, all }: TableFlags) {
    this.#choice = columns === undefined ? null : parseColumns(columns)
    this.#sort = sort?.replace(/^-/, '')
    this.areNamed = this.#choice?.kind === 'these'
    this.isWide = all || this.areNamed
  }

  /** The columns that were asked for, in place of these or made of them. */
  of(usual: readonly string[]): string[] {
    return changedColumns(usual, this.#choice, isMetaColumn)
  }

  /** The same, with one that tells the trainings of a run apart, unless columns were named. */
  withTrainings(usual: readonly string[]): string[] {
    const chosen = this.of(usual)
    return this.areNamed ? chosen : withTraining(chosen)
  }

  get added(): readonly string[] {
    return this.#choice?.kind === 'changed' ? this.#choice.added : []
  }

  /** Keys of the meta, and hyper-parameters, that columns and the order of the rows ask for. */
  get keys(): string[] {
    const named = this.#choice?.kind === 'these' ? this.#choice.names : this.added
    return [...named, ...(this.#sort === undefined ? [] : [this.#sort])].filter(isMetaColumn)
  }

  /** Bookkeeping is none, unless it was asked for. */
  metricsAmong(columns: readonly string[]): string[] {
    return columns.filter((name) => isMetaColumn(name) && (this.keys.includes(name) || !isBookkeeping(name)))
  }
}

/** The best first; without an order the newest, which is so by time: steps of different runs cannot be compared. */
export function acrossRuns(checkpoints: readonly Checkpoint[], order: Order | undefined, now: number): Checkpoint[] {
  if (order !== undefined) return rank(checkpoints, order, now)
  return [...checkpoints].sort((a, b) => (timeOf(b) ?? -Infinity) - (timeOf(a) ?? -Infinity) || 0)
}

/** Keys of the meta that rank. */
export function judgingKeys(orders: readonly Order[]): string[] {
  const names = namesInOrders({ orders, where: [] })
  return [...new Set(names)].filter((name) => isMetaColumn(name) && !builtInNames.includes(name))
}

export function firstOf(first: readonly string[], keys: readonly string[]): string[] {
  return [...first, ...keys.filter((key) => !first.includes(key))]
}

/** Of many runs, where each may have metrics of its own: those that most have, and first what ranks. */
export function flatColumns(rows: readonly Row[], judging: readonly string[]): string[] {
  const checkpoints = rows.map(({ checkpoint }) => checkpoint)
  const counts = new Map<string, number>()
  for (const { meta } of checkpoints) for (const key of meta.keys()) counts.set(key, (counts.get(key) ?? 0) + 1)
  const common = varyingKeys(checkpoints).filter((key) => 2 * (counts.get(key) ?? 0) > rows.length)
  return columnNames(checkpoints, firstOf(judging, common))
}

/** How the metric went that ranks, else the one by which most of the runs are judged, in the runs that have rows. */
export function curvesOfRuns(rows: readonly Row[], views: readonly View[], judging: readonly string[]) {
  const runs = new Set(rows.map(({ checkpoint }) => checkpoint.run))
  const shown = views.filter(({ run }) => runs.has(run.path))
  const [metric] = [...judging, ...shown.flatMap(({ monitored }) => [...monitored])]
  if (metric === undefined) return null
  const trends = new Map(
    shown.flatMap(({ run, trends: all = [] }) =>
      all.flatMap((trend) => (trend.metric === metric ? [[run.path, trend] as const] : [])),
    ),
  )
  const inOrder = [...runs].flatMap((run) => {
    const trend = trends.get(run)
    return trend === undefined ? [] : [[run, trend] as const]
  })
  return { metric, ofRuns: new Map(inOrder) }
}

/** In a pipe there are no titles: each row says which run it is of. */
export function withRun(columns: readonly string[]): string[] {
  return columns.includes('run') ? [...columns] : ['run', ...columns]
}

/** Behind the name. */
function withTraining(columns: readonly string[]): string[] {
  return columns.flatMap((name) => (name === 'name' ? [name, 'training'] : [name]))
}
