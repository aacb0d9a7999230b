/** `ckpt find`: the paths of the best or the newest checkpoints. */
import { basename, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { healthFrom, isSound, stateOf, type Checkpoint, type Run } from '../core/checkpoint.js'
import type { HealthOptions } from '../core/checkpoints/health/index.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { quoteWord } from '../core/formats/text/shell-words.js'
import { didYouMean } from '../core/nearest.js'
import { choosingWords, isChoosingWord, type ChoosingWord } from '../core/checkpoints/choosing-words.js'
import {
  arrange,
  examineAcross,
  fileOfKey,
  namesInQuery,
  openRun,
  searchRuns,
  readWhole,
  type Query,
} from '../core/runs/index.js'
import {
  bestOrder,
  byRecencyAcross,
  describeAbsentBest,
  describeContradictions,
  namesIn,
  rank,
  withUnknownValues,
  type Order,
} from '../core/choosing/selection/index.js'
import { recursiveFlag, selectionFlags, verifyFlag, stateFlag, walkFlags } from '../cli/flags/common-flags.js'
import { noMatch, noRunBelow, onlyOrder, readQuery } from '../cli/flags/query.js'
import { summarise, toDocument } from '../render/checkpoints.js'
import { printable } from '../render/printable.js'

const rankingHint =
  'rank by a metric: ckpt find RUN --min KEY, or --max; for all runs below a folder: ckpt find -r FOLDER'

/** Where one of the two is nearly a word that chooses. */
function meantBy(what: string, run: string): string | undefined {
  return (
    didYouMean(what, choosingWords, (word) => `ckpt find ${word} ${quoteWord(run)}`) ??
    didYouMean(run, choosingWords, (word) => `ckpt find ${word} ${quoteWord(what)}`)
  )
}

export default class Find extends BaseCommand<typeof Find> {
  static override isReader = true
  static override summary = 'Print the path of the best or the newest checkpoint'
  static override description = `Prints absolute paths and nothing else, best first. Without an order (best, --min, --max, --by) the newest comes
first. What is damaged or cannot be read is passed over, with a warning on stderr: headers and end records are looked
at, from the best downwards until enough are whole; --verify deep reads every byte, --verify none looks at nothing.
Exit status 3 when nothing matches, 4 when nothing that matches is whole.`
  static override examples = [
    { description: 'the best by word error rate', command: '<%= config.bin %> find exp/save --min WER' },
    { description: 'taken elsewhere', command: `best=$(ckpt find exp/save --min WER) && cp -r "$best" /tmp/` },
    {
      description: 'parameter files of the best three, for xargs',
      command: `<%= config.bin %> find exp/save --max ACC --where 'epoch > 2' --num 3 --key model -0 | xargs -0 ls -l`,
    },
    { description: 'the best of all runs below a folder', command: '<%= config.bin %> find -r exp --min WER' },
    { description: 'the best of each run', command: '<%= config.bin %> find -r exp --max ACC --best-per-run' },
  ]
  static override usage = 'find [best|latest] [RUN] [FLAGS]'
  static override args = {
    what: Args.string({
      description: 'best: what the framework itself names, else by the only metric there is; latest: the newest',
      ignoreStdin: true,
    }),
    run: Args.string({ description: 'the run, or a folder above one run', ignoreStdin: true, default: '.' }),
  }
  static override flags = {
    ...selectionFlags,
    num: Flags.integer({ description: 'at most this many', default: 1, min: 1, helpValue: 'N' }),
    key: Flags.string({
      description: "print the path of the checkpoint's parameter file with this key",
      helpValue: 'KEY',
    }),
    // oclif's types allow letters only; its parser takes any character.
    null: Flags.boolean({ char: '0' as 'z', description: 'end each path with a NUL, for xargs -0' }),
    recursive: recursiveFlag,
    'best-per-run': Flags.boolean({
      description: 'with -r: the first of each run (--num N: the first N), a path a line',
      dependsOn: ['recursive'],
    }),
    ...walkFlags,
    verify: verifyFlag('only what is whole at this depth: none, quick (headers), deep (every byte)', 'quick'),
    state: stateFlag,
  }

  async run(): Promise<void> {
    const { selector, path } = this.readArguments()
    const query = await readQuery(this.flags)
    const stateLocation = { stateDirectory: this.flags.state }
    const runs = this.flags.recursive
      ? await this.search(path, query)
      : [await openRun(this.reading, path, stateLocation)]
    if (this.flags['best-per-run']) return this.print(path, await this.ofEachRun(runs, path, selector, query))
    const checkpoints = runs.flatMap((run) => run.checkpoints)
    const { ordered, selected, warnings } = await arrange(
      this.reading,
      checkpoints,
      query,
      this.now(),
      // Of several runs the newest is so by time, which not every layout knows before files are looked at.
      this.flags.recursive ? ['time'] : [],
    )
    for (const warning of warnings) this.alert(warning)
    const order = readOrder(selector, query, ordered, selected)
    if (selector === 'best') this.tellOfBest(query, ordered)
    const inOrder = this.flags.recursive && order === undefined ? byRecencyAcross(selected) : selected
    const ranked = rank(inOrder, order, this.now())
    this.tellOfUnknown(query, order, ordered, ranked)
    if (ranked.length === 0) throw nothingFound(path, ordered.length, query, this.flags)
    await this.print(path, await this.takeSound(ranked, ordered))
  }

  /** Every run below; each folder is listed once. */
  private async search(path: string, query: Query): Promise<readonly Run[]> {
    const { runs, storage } = await this.walk(this.flags, (walking) => {
      const options = { stateDirectory: this.flags.state, ...walking }
      return searchRuns(this.storage, path, options, (found) => readWhole(found, namesInQuery(query).length > 0))
    })
    this.reading = storage
    return runs
  }

  /** The best of each run, the best of all first. A run of which nothing is whole is reported, and does not stop the others. */
  private async ofEachRun(
    runs: readonly Run[],
    path: string,
    selector: ChoosingWord | undefined,
    query: Query,
  ): Promise<Checkpoint[]> {
    const now = this.now()
    const found: Checkpoint[] = []
    const unknown: string[] = []
    let count = 0
    for (const run of runs) {
      const { ordered, selected, warnings } = await arrange(this.reading, run.checkpoints, query, now, ['time'])
      count += ordered.length
      unknown.push(...warnings)
      try {
        const order = readOrder(selector, query, ordered, selected)
        const ranked = rank(selected, order, now)
        this.tellOfUnknown(query, order, ordered, ranked)
        if (ranked.length > 0) for (const one of await this.takeSound(ranked, ordered)) found.push(one)
      } catch (error) {
        if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
        this.alert(`${printable(run.path)}: ${error.message}`)
        process.exitCode = exitStatusOf.partial
      }
    }
    if (found.length > 0) return rank(found, onlyOrder(query) ?? newest, now)
    for (const warning of new Set(unknown)) this.alert(warning)
    if (process.exitCode === exitStatusOf.partial)
      throw new CkptError('damaged', `no run below ${path} has one that is whole`)
    throw nothingFound(path, count, query, this.flags)
  }

  /** What the framework says of its own best, where that is not what people think. */
  private tellOfBest({ orders }: Query, ordered: readonly Checkpoint[]): void {
    for (const absent of describeAbsentBest(ordered)) this.alert(printable(absent))
    // Of orders that were named it is reported already.
    if (orders.length > 0) return
    for (const contradiction of describeContradictions([], ordered)) this.alert(printable(contradiction))
  }

  /** One that could not be read may be the best of all. */
  private tellOfUnknown(
    query: Query,
    order: Order | undefined,
    ordered: readonly Checkpoint[],
    ranked: readonly Checkpoint[],
  ): void {
    const names = [...namesInQuery(query), ...(order === undefined ? [] : namesIn(order))]
    for (const one of withUnknownValues(ordered, ranked, names)) {
      // Nobody asked whether it is whole, but what is in the best of all everybody wants to know.
      if (this.flags.verify === 'none' && one.health.grade !== 'unreadable') continue
      const name = this.flags.recursive ? `${one.run}/${one.name}` : one.name
      this.alert(`passed over ${printable(name)}, whose values are not known: ${summarise(one.health)}`)
    }
  }

  private readArguments(): { selector: ChoosingWord | undefined; path: string } {
    const { what, run } = this.args
    if (isChoosingWord(what)) return { selector: what, path: resolve(run) }
    if (isChoosingWord(run)) return { selector: run, path: resolve(what ?? '.') }
    if (what === undefined) return { selector: undefined, path: resolve(run) }
    if (run === '.') return { selector: undefined, path: resolve(what) }
    throw new CkptError(
      'usage',
      `${what} and ${run}: one run can be searched, and "best" or "latest" stand beside it`,
      { hint: meantBy(what, run) ?? rankingHint },
    )
  }

  /** The first --num that pass --verify; those passed over are reported. */
  private async takeSound(ranked: readonly Checkpoint[], siblings: readonly Checkpoint[]): Promise<Checkpoint[]> {
    const { num, verify } = this.flags
    const found: Checkpoint[] = []
    const damaged: Checkpoint[] = []
    for (let looked = 0; looked < ranked.length && found.length < num;) {
      // The more had to be passed over, the more are looked at together.
      const candidates = ranked.slice(looked, looked + Math.max(num - found.length, Math.min(looked, mostTogether)))
      looked += candidates.length
      const check = (options: HealthOptions) => examineAcross(this.reading, siblings, candidates, verify, options)
      // A quick look at one is over before anybody could see how far it is.
      const isOverAtOnce = candidates.length === 1 && verify !== 'deep'
      const checked = isOverAtOnce ? await check({}) : await this.long('checking', check)
      for (const one of checked) {
        if (found.length === num) break
        const passes = isSound(one) || (await this.isSoundByItself(one, siblings))
        if (!passes) damaged.push(one)
        else if (!isSound(one)) this.alert(`${printable(one.name)}: ${summarise(one.health)}`)
        // A copy counts only where what it is a copy of does not.
        if ((passes || verify === 'none') && !found.some((other) => stateOf(other) === stateOf(one))) found.push(one)
      }
    }
    const lead = (name: string) => (verify === 'none' ? `${name} is not whole` : `passed over ${name}`)
    for (const one of damaged) this.alert(`${lead(printable(one.name))}: ${summarise(one.health)}`)
    if (found.length > 0) return found
    throw new CkptError('damaged', `none of the ${ranked.length} checkpoints that match is whole`, {
      hint: 'with --verify none the best is printed all the same',
    })
  }

  /** What is only known to be missing because two or three others have it may never have been meant for this one. */
  private async isSoundByItself(one: Checkpoint, siblings: readonly Checkpoint[]): Promise<boolean> {
    if (one.health.grade !== 'partial') return false
    const others = siblings.filter(({ run, path }) => run === one.run && path !== one.path)
    if (others.length > fewWitnesses && !lacksCountersAlone(one, others)) return false
    const bare = { ...one, health: healthFrom('none', []) }
    const [examined] = await examineAcross(this.reading, [bare], [bare], this.flags.verify, {})
    return examined !== undefined && isSound(examined)
  }

  private async print(path: string, found: readonly Checkpoint[]): Promise<void> {
    const { key } = this.flags
    const paths = found.map((checkpoint) => (key === undefined ? checkpoint.path : fileOfKey(checkpoint, key).path))
    if (this.wantsJson) {
      const run = this.flags.recursive ? path : (found[0]?.run ?? path)
      this.answer({ run, checkpoints: found.map((one) => this.document(one)) }, () => '')
    } else {
      for (const one of paths) this.output.value(one, this.flags.null ? '\0' : '\n')
    }
  }

  private document(checkpoint: Checkpoint): Record<string, unknown> {
    return this.flags.recursive ? { run: checkpoint.run, ...toDocument(checkpoint) } : toDocument(checkpoint)
  }
}

/** Of all that the others have, only where the loop stood is missing: nobody who takes the weights has a use for that. */
function lacksCountersAlone({ health }: Checkpoint, others: readonly Checkpoint[]): boolean {
  const counters = new Set(
    others.flatMap(({ files }) => files.filter(({ role }) => role === 'loop').map(({ path }) => basename(path))),
  )
  return health.findings.every(({ file }) => file !== undefined && counters.has(file))
}

/** Others that have a file prove little while they are so few. */
const fewWitnesses = 3
/** Candidates that are looked at in one go. */
const mostTogether = 64

/** Steps of different runs cannot be compared; times can. */
const newest: Order = { kind: 'max', key: 'time' }

function readOrder(
  selector: ChoosingWord | undefined,
  query: Query,
  checkpoints: readonly Checkpoint[],
  selected: readonly Checkpoint[],
): Order | undefined {
  const order = onlyOrder(query)
  if (selector === 'latest' && order !== undefined) {
    throw new CkptError('usage', '"latest" is an order of its own: leave it out, or the flag that ranks')
  }
  return selector === 'best' ? (order ?? bestOrder(checkpoints, selected)) : order
}

function nothingFound(
  path: string,
  count: number,
  query: Query,
  { recursive, exclude }: { readonly recursive: boolean; readonly exclude?: readonly string[] | undefined },
): CkptError {
  return count === 0 ? noRunBelow([path], { exclude }) : noMatch(path, count, query, recursive)
}
