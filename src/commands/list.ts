/** `ckpt list`: the checkpoints of a run, or of all runs below a folder. */
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { isSound, isUnreadable, type Checkpoint, type Run } from '../core/checkpoint.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { ScanTree, TotalSize } from '../core/checkpoints/layouts/index.js'
import {
  arrange,
  examine,
  grade,
  lookTwice,
  openRun,
  searchRuns,
  namesInQuery,
  readWhole,
  pinsOf,
  setAsideReasons,
  takeGonePins,
  type Query,
} from '../core/runs/index.js'
import {
  bestPerMetric,
  describeAbsentBest,
  describeContradictions,
  impossibleMetrics,
  monitoredKeys,
  rank,
  trainingNumbers,
  trendsOf,
  describeUnknownKey,
  unknownInAll,
  varyingKeys,
  type Order,
  bestByOrders,
  type UnknownKey,
} from '../core/choosing/selection/index.js'
import { isInForce, type Pin } from '../core/changes/state/index.js'
import { parseColumns, refuseUnknown } from '../cli/flags/columns.js'
import { ordersOfSettings } from '../cli/settings/order-of-run.js'
import {
  checked,
  recursiveFlag,
  runArgument,
  selectionFlags,
  sortFlag,
  verifyFlag,
  stateFlag,
  walkFlags,
} from '../cli/flags/common-flags.js'
import { noMatch, noRunBelow, onlyOrder, readQuery } from '../cli/flags/query.js'
import type { Row } from '../render/checkpoints.js'
import { printable } from '../render/printable.js'
import { plural } from '../render/units.js'
import { warningsOfRuns, type WarnedRun } from '../render/warnings-of-runs.js'
import { bestByPath, marksOf, sortRows } from '../render/checkpoint-rows.js'
import { wait } from '../machine/clock.js'
import { heldForWriting } from '../machine/open-files.js'
import { columnNames, renderFlat, renderRun, runDocument, runOfManyDocument, type View } from '../render/run.js'
import {
  acrossRuns,
  ChosenColumns,
  curvesOfRuns,
  firstOf,
  flatColumns,
  judgingKeys,
  withRun,
} from '../cli/list-tables.js'

/** Rows of a table on a terminal unless --limit or --all says otherwise. */
const screenful = 50
/** Pins of what is gone that are reported one by one: anybody who can write beside the run can put thousands there. */
const mostGone = 10

export default class List extends BaseCommand<typeof List> {
  static override isReader = true
  static override aliases = ['ls']
  static override summary = 'List the checkpoints of a run'
  static override description = `Shows name, age, epoch, step, the metrics that vary, size and marks (latest, best by each metric, damaged,
pinned, set aside), the newest first. --min, --max and --by rank instead. Parameter files are not opened unless --verify says so.
On a terminal a curve of each metric stands below the table, with the best and the worst of all. With -r all runs below
the folder are one table, each row with its run; --limit then counts the rows of all runs. Exit status 3 when nothing matches; 6
when a checkpoint cannot be read (permission, device, server), 4 when none can.`
  static override examples = [
    { description: 'the run in this folder', command: '<%= config.bin %> list' },
    { description: 'the three best', command: '<%= config.bin %> list exp/save --min WER --limit 3' },
    {
      description: 'a selection, its columns named',
      command: `<%= config.bin %> list exp/save --where 'epoch > 2 and end-of-epoch' --columns name,epoch,WER,size`,
    },
    { description: 'every run below a folder, for a script', command: '<%= config.bin %> list -r exp --json' },
  ]
  static override args = { run: runArgument }
  static override flags = {
    ...selectionFlags,
    sort: sortFlag,
    columns: Flags.string({
      helpValue: 'A,B,…',
      description: 'show these columns: name, age, epoch, any key of the meta; or add and take away: +lr,-loss',
      parse: checked(parseColumns),
    }),
    limit: Flags.integer({ helpValue: 'N', min: 0, description: 'at most this many rows' }),
    all: Flags.boolean({ description: 'every row and every metric, also on a terminal', exclusive: ['limit'] }),
    recursive: recursiveFlag,
    group: Flags.boolean({
      description: 'with -r: a table for each run, in place of one for all',
      dependsOn: ['recursive'],
    }),
    ...walkFlags,
    verify: verifyFlag('look into the files: none, quick (headers), deep (every byte)', 'none'),
    state: stateFlag,
  }

  /** Of each run, what people see of it. */
  private readonly warned: WarnedRun[] = []

  /** Of each run, the names of columns and of the order of the rows that none of its checkpoints has. */
  private readonly unknown: (readonly UnknownKey[])[] = []

  async run(): Promise<void> {
    const query = await readQuery(this.flags)
    const path = resolve(this.args.run)
    const stateLocation = { stateDirectory: this.flags.state }
    const runs = this.flags.recursive
      ? await this.search(path, query)
      : [await openRun(this.reading, path, stateLocation)]
    if (runs.length === 0) throw noRunBelow([path], this.flags)
    const views = await this.views(runs, query)
    for (const text of this.warnings()) this.alert(text)
    await this.judgeNames(path, query)
    const [first] = views
    const document = this.flags.recursive ? { runs: views.map(runOfManyDocument) } : first && checkpointsOf(first)
    if (views.every(({ matching }) => matching === 0)) {
      this.failWith({ ...document })
      throw nothingMatches(path, views, query, this.flags.recursive)
    }
    this.setExitStatus(runs, views)
    if (this.flags.recursive && !this.flags.group) return this.answerFlat(document ?? {}, path, views)
    const options = { now: this.now(), output: this.output }
    const shown = views.filter(({ matching }) => matching > 0)
    const texts = this.wantsJson ? [] : await Promise.all(shown.map((view) => renderRun(view, options)))
    this.answer(document, () => texts.flatMap((text, index) => (index === 0 ? [...text] : ['', ...text])))
  }

  /** 6 where the system refuses to read some checkpoint, also of those without a row; 4 where it refuses all. */
  private setExitStatus(runs: readonly Run[], views: readonly View[]): void {
    const found = runs.flatMap(({ checkpoints }) => checkpoints)
    const examined = views.flatMap(({ rows }) => rows.map(({ checkpoint }) => checkpoint))
    const refused = new Set([...found, ...examined].filter(isUnreadable).map(({ path }) => path))
    if (refused.size > 0) process.exitCode = exitStatusOf[refused.size < found.length ? 'partial' : 'damaged']
  }

  /** Of one run its own; what several runs have alike is shown once. */
  private warnings(): string[] {
    if (this.flags.recursive) return warningsOfRuns(this.warned)
    return this.warned.flatMap(({ warnings }) => warnings.map(printable))
  }

  /** Every run below; each folder is listed once. */
  private async search(path: string, query: Query): Promise<readonly Run[]> {
    const settings = this.wantsJson || namesInQuery(query).length + this.columns.keys.length > 0
    const { runs, storage } = await this.walk(this.flags, (walking) => {
      const options = { stateDirectory: this.flags.state, ...walking }
      return searchRuns(this.storage, path, options, (found) => readWhole(found, settings))
    })
    this.reading = storage
    return runs
  }

  /** One after the other; of one table for all each run shows the rows that it has among the first ones. */
  private async views(runs: readonly Run[], query: Query): Promise<View[]> {
    const counts = this.flags.recursive && !this.flags.group ? await this.countRows(runs, query) : null
    const views: View[] = []
    for (const run of runs)
      views.push(await this.view(run, query, counts?.get(run.path) ?? (counts === null ? null : 0)))
    return views
  }

  /** Of the first rows over all runs, how many each run has. */
  private async countRows(runs: readonly Run[], query: Query): Promise<ReadonlyMap<string, number> | null> {
    const { limit } = this
    if (limit === Number.POSITIVE_INFINITY || this.flags.sort !== undefined) return null
    const selected: Checkpoint[] = []
    for (const run of runs) {
      const found = await arrange(this.reading, run.checkpoints, query, this.now(), ['time', ...this.columns.keys])
      for (const one of found.selected) selected.push(one)
    }
    const counts = new Map<string, number>()
    for (const { run } of acrossRuns(selected, onlyOrder(query), this.now()).slice(0, limit)) {
      counts.set(run, (counts.get(run) ?? 0) + 1)
    }
    return counts
  }

  private get columns(): ChosenColumns {
    return (this.chosen ??= new ChosenColumns(this.flags))
  }
  private chosen: ChosenColumns | null = null

  private get limit(): number {
    const { limit, all } = this.flags
    return limit ?? (all || !this.output.isTerminal || this.wantsJson ? Number.POSITIVE_INFINITY : screenful)
  }

  /** What no checkpoint of any run has: of a column, or of the order of the rows, a slip. */
  private async judgeNames(path: string, query: Query): Promise<void> {
    const inQuery = namesInQuery(query)
    const unknown = unknownInAll(this.unknown).filter(({ name }) => !inQuery.includes(name))
    await refuseUnknown(unknown, { root: path, flags: this.flags, positions: this.positions })
    for (const one of unknown) this.alert(describeUnknownKey(one))
  }

  /** One table of the rows of all runs. */
  private async answerFlat(document: object, root: string, views: readonly View[]): Promise<void> {
    const { isTerminal } = this.output
    const rows = views.flatMap((view) => view.rows)
    const byCheckpoint = new Map(rows.map((row) => [row.checkpoint, row]))
    const query = await readQuery(this.flags)
    const order = onlyOrder(query)
    const judging = judgingKeys(await this.judgedBy(root, query))
    const checkpoints = rows.map(({ checkpoint }) => checkpoint)
    const { sort } = this.flags
    const sorted =
      sort === undefined ? acrossRuns(checkpoints, order, this.now()) : sortRows(checkpoints, sort, this.now())
    const shown = sorted.slice(0, this.limit).flatMap((one) => byCheckpoint.get(one) ?? [])
    const view = {
      root,
      rows: shown,
      columns: withRun(this.columns.of(flatColumns(shown, judging))),
      matching: views.reduce((sum, { matching }) => sum + matching, 0),
      monitored: new Set([...this.columns.added, ...judging, ...views.flatMap(({ monitored }) => [...monitored])]),
      isChosen: this.columns.areNamed,
      curves: isTerminal ? curvesOfRuns(shown, views, judging) : null,
      isAll: this.flags.all,
    }
    const lines = this.wantsJson ? [] : await renderFlat(view, { now: this.now(), output: this.output })
    this.answer(document, () => lines)
    if (isTerminal && !this.wantsJson) this.note(`${plural(views.length, 'run')}; --group gives a table for each`)
  }

  private async view(run: Run, query: Query, atMost: number | null = null): Promise<View> {
    const now = this.now()
    const order = onlyOrder(query)
    const { ordered, trainings, selected, unknown, warnings } = await arrange(
      this.reading,
      run.checkpoints,
      query,
      now,
      this.flags.recursive ? ['time', ...this.columns.keys] : this.columns.keys,
    )
    this.unknown.push(unknown)
    const settings = query.orders.length > 0 ? [] : describeContradictions([], ordered)
    this.warned.push({ path: run.path, warnings: [...warnings, ...describeAbsentBest(ordered), ...settings] })
    const ranked = rank(selected, order, now)
    const limit = atMost ?? this.limit
    const isHeaded = this.output.isTerminal && !this.wantsJson && limit >= ranked.length
    const total = isHeaded ? new TotalSize() : undefined
    const first = await this.examineShown(ranked, ordered, limit, total)
    const shown = await this.lookAgain(run, first)
    const orders = await this.judgedBy(run.path, query)
    const judging = judgingKeys(orders)
    const training = trainingNumbers(trainings)
    const usual = columnNames(shown, firstOf(judging, varyingKeys(ordered)))
    const chosen = training.size > 0 ? this.columns.withTrainings(usual) : this.columns.of(usual)
    const columns = this.flags.recursive && !this.output.isTerminal ? withRun(chosen) : chosen
    const rows = await this.rows(run, shown, ordered, orders, training)
    return {
      run,
      rows,
      columns,
      matching: ranked.length,
      size: total?.bytes ?? null,
      wide: this.columns.isWide,
      monitored: new Set([...this.columns.added, ...judging, ...monitoredKeys(ordered)]),
      trends: this.output.isTerminal ? trendsOf(ordered, this.columns.metricsAmong(columns), now, orders) : [],
      isAll: this.flags.all,
    }
  }

  /** What each row says of its checkpoint beside its meta. */
  private async rows(
    run: Run,
    shown: readonly Checkpoint[],
    ordered: readonly Checkpoint[],
    orders: readonly Order[],
    training: ReadonlyMap<string, number>,
  ): Promise<Row[]> {
    const now = this.now()
    const pins = await this.pins(run)
    const aside = await this.setAside(run)
    const best = bestPerMetric(ordered, now)
    const marks = marksOf(ordered, best, impossibleMetrics(ordered), pins, aside)
    const bestBy = bestByPath(new Map([...best, ...bestByOrders(ordered.filter(isSound), orders, now)]))
    return shown.map((checkpoint) => ({
      checkpoint,
      marks: marks.get(checkpoint.path) ?? [],
      training: training.get(checkpoint.path),
      bestBy: bestBy.get(checkpoint.path),
    }))
  }

  /** What was asked for, else by what the settings prune. */
  private async judgedBy(path: string, { orders }: Query): Promise<readonly Order[]> {
    if (orders.length > 0 || this.wantsJson) return orders
    return ordersOfSettings(this.storage, path, this.program, this.files)
  }

  /** Of a checkpoint that was pinned and is gone it is reported once. */
  private async pins(run: Run): Promise<ReadonlyMap<string, Pin>> {
    return this.orNone(async () => {
      const pins = await pinsOf(this.storage, run, { stateDirectory: this.flags.state })
      if (pins.size === 0) return pins
      const gone = await takeGonePins(this.storage, run, pins, this.changing('0s', this.flags.state))
      for (const { name, note } of gone.slice(0, mostGone)) {
        this.alert(
          `${printable(name)} was pinned${note === '' ? '' : ` (${printable(note)})`} and is gone from ${run.path}`,
        )
      }
      const rest = gone.length - mostGone
      if (rest > 0) this.alert(`${rest} more that were pinned are gone from ${run.path}`)
      return new Map([...pins].filter(([, one]) => isInForce(one, this.now())))
    })
  }

  private async setAside(run: Run): Promise<ReadonlyMap<string, string>> {
    return this.orNone(() => setAsideReasons(this.storage, run, { stateDirectory: this.flags.state }))
  }

  /** What ckpt remembers of a run; where that cannot be read nothing, which is reported. */
  private async orNone<T>(recall: () => Promise<ReadonlyMap<string, T>>): Promise<ReadonlyMap<string, T>> {
    try {
      return await recall()
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      this.alert(error.message)
      return new Map()
    }
  }

  /** Sizes and times are taken once: of all where they can decide the order, else of the rows alone. */
  private async examineShown(
    ranked: readonly Checkpoint[],
    siblings: readonly Checkpoint[],
    limit: number,
    total: TotalSize | undefined,
  ) {
    const { sort, verify } = this.flags
    const counting = total === undefined ? {} : { total }
    const reading = verify === 'none' ? ScanTree.lookingOnce(this.reading) : this.reading
    return this.long('reading', async (options) => {
      if (sort === undefined) {
        return examine(reading, siblings, ranked.slice(0, limit), verify, { ...options, ...counting })
      }
      const sorted = sortRows(await examine(reading, siblings, ranked, 'none', counting), sort, this.now())
      return grade(reading, siblings, sorted.slice(0, limit), verify, options)
    })
  }

  /** Where files were looked into: what a live trainer is just writing or removing is not damaged. */
  private async lookAgain(run: Run, shown: readonly Checkpoint[]): Promise<readonly Checkpoint[]> {
    const { verify: level, state: stateDirectory } = this.flags
    if (level === 'none') return shown
    const again = { now: this.now(), wait, stateDirectory, writers: { holding: heldForWriting } }
    return this.long('looking again', async (options) => {
      const regrade = (now: Run, these: readonly Checkpoint[]) =>
        grade(this.storage, now.checkpoints, these, level, options)
      return (await lookTwice(this.storage, run, shown, regrade, again)).checkpoints
    })
  }
}

function nothingMatches(path: string, views: readonly View[], query: Query, isOfMany: boolean): CkptError {
  const count = views.reduce((sum, { run }) => sum + run.checkpoints.length, 0)
  return noMatch(path, count, query, isOfMany)
}

function checkpointsOf(view: View) {
  const { run, checkpoints } = runDocument(view)
  return { run, checkpoints }
}
