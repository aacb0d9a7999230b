/** `ckpt runs`: a row for each run below a folder. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { changedColumns, columnsOfRuns, parseColumns, refuseUnknown, type ColumnChoice } from '../cli/flags/columns.js'
import { checked, selectionFlags, sortFlag, stateFlag, verifyFlag, walkFlags } from '../cli/flags/common-flags.js'
import { noMatch, noRunBelow, onlyOrder, readQuery } from '../cli/flags/query.js'
import { exitStatusOf } from '../core/errors.js'
import { compareText } from '../core/checkpoints/layouts/index.js'
import { describeUnknownKey, rank, settingPrefix, unknownInAll, type Order } from '../core/choosing/selection/index.js'
import {
  eachRun,
  namesInQuery,
  RememberedSummaries,
  summariseRun,
  type Query,
  type RunSummary,
} from '../core/runs/index.js'
import { varyingSettings } from '../render/leaderboard.js'
import { describeTotal, isKey, renderRuns, sortRuns, summaryDocument } from '../render/runs.js'
import { nameOfSort } from '../render/sort-rows.js'
import { warningsOfRuns } from '../render/warnings-of-runs.js'

/** Rows of a table on a terminal unless --limit or --all says otherwise. */
const screenful = 50

/** Columns of hyper-parameters that nobody asked for. */
const mostSettings = 12

export default class Runs extends BaseCommand<typeof Runs> {
  static override isReader = true
  static override isExact = true
  static override summary = 'List all runs below a folder, one row each'
  static override description = `Shows of each run its layout, how many checkpoints it has, the newest (age, step, epoch), the best one and its value,
whether any is damaged, and its size. --min, --max and --by rank the runs by their best checkpoint; the row's
step, epoch and meta are then those of that checkpoint, else those of the newest. Ranked, the hyper-parameters that tell
the runs apart stand beside it; they can be asked for by name, in --columns, --where and --by: hp.NAME, or NAME where no key
of the meta has that name. docs/many-runs.md says where they are read from.

Symbolic links are not followed, and other file systems are left out. A folder that cannot be read is reported, and the exit
status is then 6. Exit status 3 when there is no run, or none that matches.`
  static override examples = [
    { description: 'every run below this folder', command: '<%= config.bin %> runs' },
    { description: 'the ten best', command: '<%= config.bin %> runs exp --min WER --limit 10' },
    { description: 'a leaderboard', command: '<%= config.bin %> runs exp --min WER --columns lr,seed,WER,epoch' },
    { description: 'for a script', command: `<%= config.bin %> runs exp --where 'lr <= 1e-3 and WER < 20' --json` },
  ]
  static override args = {
    root: Args.string({ description: 'the folder above the runs', ignoreStdin: true, default: '.' }),
  }
  static override flags = {
    ...selectionFlags,
    columns: Flags.string({
      helpValue: 'A,B,…',
      description: `show these columns: ${columnsOfRuns.join(', ')}, run-name, any key of the meta, or hyper-parameter; or add and take away: +lr,-layout`,
      parse: checked(parseColumns),
    }),
    sort: sortFlag,
    limit: Flags.integer({ helpValue: 'N', min: 0, description: 'at most this many rows' }),
    all: Flags.boolean({ description: 'every row and every column, also on a terminal', exclusive: ['limit'] }),
    verify: verifyFlag('look into the files: none, quick (headers), deep (every byte)', 'none'),
    ...walkFlags,
    state: stateFlag,
  }

  async run(): Promise<void> {
    const root = resolve(this.args.root)
    const query = await readQuery(this.flags)
    const found = await this.summarise(root, query)
    if (found.length === 0)
      throw noRunBelow([root], { unreadable: this.unreadable.length, exclude: this.flags.exclude })
    const unknown = unknownInAll(found.map((one) => one.unknown))
    const inQuery = namesInQuery(query)
    await refuseUnknown(
      unknown.filter(({ name }) => !inQuery.includes(name)),
      { root, columns: columnsOfRuns, flags: this.flags, positions: this.positions },
    )
    for (const one of unknown) this.alert(describeUnknownKey(one))
    const slips = found.map(({ path, contradictions }) => ({ path, warnings: contradictions }))
    for (const text of warningsOfRuns(slips)) this.alert(text)
    const order = onlyOrder(query)
    const matching = found.filter(({ matching: count, best }) => count > 0 && (order === undefined || best !== null))
    matching.sort(byPath)
    const rows = this.inOrder(matching, order).slice(0, this.limit)
    if (rows.some(({ grades }) => grades.has('unreadable'))) process.exitCode = exitStatusOf.partial
    const document = { runs: rows.map(summaryDocument), unreadable: this.unreadable }
    if (matching.length === 0) {
      this.failWith(document)
      throw noMatch(
        root,
        found.reduce((sum, { count }) => sum + count, 0),
        query,
        true,
      )
    }
    const usual = order === undefined ? columnsOfRuns : this.leaderboard(rows, order)
    const columns = withRun(changedColumns(usual, this.choice, isKey))
    const view = {
      root,
      rows,
      matching: matching.length,
      columns,
      isRanked: order !== undefined,
      judgedBy: keyOf(order),
      wide: this.flags.all,
      isChosen: this.choice?.kind === 'these',
      added: this.added,
    }
    const lines = this.wantsJson ? [] : await renderRuns(view, { now: this.now(), output: this.output })
    this.answer(document, () => lines)
    if (this.output.isTerminal && !this.wantsJson) this.note(describeTotal(found))
  }

  private get choice(): ColumnChoice | null {
    return this.flags.columns === undefined ? null : parseColumns(this.flags.columns)
  }

  /** Columns that were asked for by name. */
  private get added(): readonly string[] {
    const { choice } = this
    if (choice === null) return []
    return choice.kind === 'these' ? choice.names : choice.added
  }

  /** The column that --sort names. */
  private get sortedBy(): readonly string[] {
    return this.flags.sort === undefined ? [] : [nameOfSort(this.flags.sort)]
  }

  private inOrder(matching: readonly RunSummary[], order: Order | undefined): readonly RunSummary[] {
    const { sort } = this.flags
    const ranked = order === undefined ? matching : byBest(matching, order, this.now())
    return sort === undefined ? ranked : sortRuns(ranked, sort, { isRanked: order !== undefined, now: this.now() })
  }

  /** What tells the runs apart, the value that ranks them, and where it was reached. */
  private leaderboard(rows: readonly RunSummary[], order: Order): string[] {
    const shadowed = new Set(rows.flatMap(({ best }) => [...(best?.checkpoint.settings?.shadowed ?? [])]))
    const isTaken = (name: string) => shadowed.has(name) || !isKey(name)
    const settings = varyingSettings(rows.map((one) => one.settings))
    const shown = this.flags.all ? settings : settings.slice(0, mostSettings)
    const named = shown.map((name) => (isTaken(name) ? `${settingPrefix}${name}` : name))
    const judge = keyOf(order) ?? 'best'
    return ['run', ...named.filter((name) => name !== judge), judge, 'epoch', 'step', 'best-checkpoint', 'size']
  }

  private get limit(): number {
    const { limit, all } = this.flags
    return limit ?? (all || !this.output.isTerminal || this.wantsJson ? Number.POSITIVE_INFINITY : screenful)
  }

  /** Run by run, so that only what is shown of them is remembered. */
  private async summarise(root: string, query: Query): Promise<RunSummary[]> {
    const request = {
      query,
      order: onlyOrder(query),
      verify: this.flags.verify,
      names: [...this.added, ...this.sortedBy].filter(isKey),
      withSettings: this.wantsJson || query.orders.length > 0,
      withName: this.wantsJson || [...this.added, ...this.sortedBy].includes('run-name'),
      now: this.now(),
    }
    return this.walk(this.flags, async (walking) => {
      const summaries: RunSummary[] = []
      const location = { stateDirectory: this.flags.state }
      const answers = RememberedSummaries.of(walking.memory, request, location, this.storage.custody)
      const options = { ...walking, ...location, ...(answers === null ? {} : { answers }) }
      const watched = walking.signal === undefined ? {} : { signal: walking.signal }
      for await (const { run, storage } of eachRun(this.storage, root, options)) {
        const summary = await summariseRun(storage, run, request, watched)
        await answers?.keep(run, summary)
        summaries.push(summary)
      }
      return [...summaries, ...(answers?.recalled ?? [])]
    })
  }
}

/** A row says which run it is of. */
function withRun(columns: readonly string[]): string[] {
  return columns.includes('run') || columns.includes('path') ? [...columns] : ['run', ...columns]
}

function keyOf(order: Order | undefined): string | null {
  return order?.kind === 'min' || order?.kind === 'max' ? order.key : null
}

function byPath(a: RunSummary, b: RunSummary): number {
  return compareText(a.path, b.path)
}

/** The run with the best checkpoint first, by the very rule that ranks the checkpoints of one run. */
function byBest(summaries: readonly RunSummary[], order: Order, now: number): RunSummary[] {
  const best = new Map(summaries.flatMap((one) => (one.best === null ? [] : [[one.best.checkpoint, one] as const])))
  return rank([...best.keys()], order, now).flatMap((checkpoint) => best.get(checkpoint) ?? [])
}
