/** `ckpt watch`: what happens in runs, while it happens. */
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { checked, recursiveFlag, runArgument, selectionFlags, stateFlag, walkFlags } from '../cli/flags/common-flags.js'
import { interruptible } from '../cli/output/progress.js'
import { onlyOrder, readQuery } from '../cli/flags/query.js'
import { Notifier } from '../cli/watching/watch-notify.js'
import { LineView, ScreenView, type WatchView } from '../cli/watching/watch-view.js'
import { isSound } from '../core/checkpoint.js'
import { parseExpression, selects, type Expression } from '../core/choosing/expression/index.js'
import { parseAge } from '../core/choosing/retention/index.js'
import { describeContradictions, describeUnknownKey, scopeOf, unknownKeys } from '../core/choosing/selection/index.js'
import { namesInQuery, type Query } from '../core/runs/index.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { Watch as RunWatch, type LookContext, type WatchedRun, type WatchEvent } from '../core/jobs/watch/index.js'
import { LookPace } from '../cli/watching/look-pace.js'
import { sleep, wait } from '../machine/clock.js'
import { FolderChanges } from '../machine/folder-changes.js'
import { printable } from '../render/printable.js'

/** Seconds. Looking more often would load the file system for changes that people cannot follow. */
const shortestInterval = 0.1
/** Milliseconds after a change in which more of them are waited for: a save makes many. */
const burst = 200

export default class Watch extends BaseCommand<typeof Watch> {
  static override isReader = true
  static override isLineByLine = true
  static override summary = 'Watch checkpoints and jobs as they change'
  static override description = `Shows a table on a terminal and updates it in place: new checkpoints, the best so far and how many came after it,
what is left of the disk, and how the job stands by the journal of ckpt run; Ctrl-C ends it, Ctrl-Z stops it, and the
terminal is then as it was. In a pipe, with TERM=dumb or with --json it prints a line for each event: watching, appeared, vanished,
new, best, stalled, removed, damaged, job, space, until.

A checkpoint is new once it is whole and nobody writes to it any more. While nothing changes, only times and sizes are
read. It waits for a run that does not exist yet.`
  static override examples = [
    {
      description: 'until the fourth epoch is saved',
      command: `<%= config.bin %> watch exp/save --until 'epoch >= 4'`,
    },
    {
      description: 'every run below a folder, for a script',
      command: `<%= config.bin %> watch -r exp --json --until 'epoch >= 1'`,
    },
    {
      description: 'a message at each new best',
      command: `<%= config.bin %> watch exp/save --min WER --notify 'echo "$CKPT_NAME: $CKPT_VALUE"' --until 'epoch >= 1'`,
    },
  ]
  static override args = { run: runArgument }
  static override flags = {
    ...selectionFlags,
    recursive: recursiveFlag,
    until: Flags.string({
      helpValue: 'EXPR',
      description: 'end (exit status 0) once this is true of the newest whole checkpoint, or of a new one',
      multiple: true,
      multipleNonGreedy: true,
      parse: async (text) => {
        await parseExpression(text.trim())
        return text.trim()
      },
    }),
    notify: Flags.string({
      helpValue: 'CMD',
      description:
        'a shell command at each new best: CKPT_PATH, CKPT_NAME, CKPT_METRIC, CKPT_VALUE, CKPT_PREVIOUS, CKPT_RUN, CKPT_META_…',
    }),
    patience: Flags.integer({
      helpValue: 'N',
      min: 1,
      default: 5,
      description: 'report a stall after this many checkpoints without an improvement',
    }),
    interval: Flags.string({
      helpValue: 'TIME',
      default: '2s',
      description: 'look at least this often; the system reports most changes at once',
      parse: checked(readInterval),
    }),
    ...walkFlags,
    state: stateFlag,
  }

  private readonly unlisted = new Set<string>()

  async run(): Promise<void> {
    const query = await readQuery(this.flags)
    onlyOrder(query)
    const until = await Promise.all((this.flags.until ?? []).map(parseExpression))
    const root = resolve(this.args.run)
    const pace = new LookPace(wait, () => performance.now())
    const context = { query, patience: this.flags.patience, wait: pace.wait }
    await interruptible(async (signal) => {
      const watch = new RunWatch(this.storage, this.watching(root, signal))
      // A mistake is reported before anything is drawn.
      const first = await watch.look({ ...context, now: this.now() })
      for (const text of slipsOf(watch.runs, query, until)) this.alert(printable(text))
      if (watch.runs.length === 0) this.note(`no run in ${printable(root)} yet: waiting for one`)
      const view = this.openView(root)
      const notifier = new Notifier(this.flags.notify ?? '', signal, (text) => view.tell(text))
      const take = (events: readonly WatchEvent[]): boolean => {
        const end = this.endOf(watch, events, until)
        view.show(end === null ? events : [...events, end], watch.runs, this.now())
        if (this.flags.notify !== undefined) {
          for (const event of events) if (event.event === 'best') notifier.add(event)
        }
        return end !== null
      }
      try {
        if (!take(first)) await this.follow(watch, { ...context, pace }, signal, take)
        await notifier.finish()
      } finally {
        this.divert(null)
        view.close()
      }
      if (signal.aborted) process.exitCode = exitStatusOf.interrupted
    })
  }

  private watching(path: string, signal: AbortSignal) {
    const { exclude, 'cross-file-systems': crossFileSystems, recursive, state } = this.flags
    const onUnreadable = (folder: string, reason: string) => {
      if (this.unlisted.has(folder)) return
      this.unlisted.add(folder)
      this.alert(`${printable(folder)} could not be read: ${reason}`)
    }
    return {
      path,
      isRecursive: recursive,
      walking: { exclude, crossFileSystems, onUnreadable, signal },
      stateDirectory: state,
      lock: this.changing('0s', state, signal),
    }
  }

  private openView(root: string): WatchView {
    if (this.output.isDrawable && !this.wantsJson) {
      const view = new ScreenView(this.output, root, this.now, this.note)
      // While the screen is drawn on, nothing else may be written to it.
      this.divert((text) => view.tell(text))
      return view
    }
    return new LineView(this.output, this.wantsJson, this.note)
  }

  /** Looks again whenever something changes, and at the latest after the interval, until `take` has enough. */
  private async follow(
    watch: RunWatch,
    { pace, ...context }: Omit<LookContext, 'now'> & { readonly pace: LookPace },
    signal: AbortSignal,
    take: (events: readonly WatchEvent[]) => boolean,
  ): Promise<void> {
    const interval = 1000 * readInterval(this.flags.interval)
    let wake = new AbortController()
    const changes = new FolderChanges(() => wake.abort())
    const stop = () => wake.abort()
    signal.addEventListener('abort', stop)
    // `ckpt watch | head`: what waits for something, or tells somebody else, goes on without a reader.
    const { until = [], notify } = this.flags
    const isFollowed = () => until.length > 0 || notify !== undefined || this.output.isRead
    const isOver = () => signal.aborted || !isFollowed()
    let trouble = ''
    try {
      while (!isOver()) {
        changes.follow(watch.folders)
        await sleep(Math.max(interval, pace.pause), wake.signal)
        await sleep(wake.signal.aborted ? Math.max(burst, pace.pause) : 0, signal)
        if (isOver()) return
        wake = new AbortController()
        try {
          if (take(await pace.timed(() => watch.look({ ...context, now: this.now() })))) return
          trouble = ''
        } catch (error) {
          // A disk that does not answer for a while ends no watch.
          if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
          if (error.message !== trouble) this.alert(error.message)
          trouble = error.message
        }
      }
    } finally {
      signal.removeEventListener('abort', stop)
      changes.close()
    }
  }

  /** The event that ends the watch; null while there is none. */
  private endOf(watch: RunWatch, events: readonly WatchEvent[], until: readonly Expression[]): WatchEvent | null {
    if (until.length === 0) return null
    const newest = watch.runs.flatMap(({ selected }) => selected.find(isSound) ?? [])
    const fresh = events.flatMap((one) => (one.event === 'new' ? [one.checkpoint] : []))
    const now = this.now()
    const met = [...newest, ...fresh].find((one) => until.every((expression) => selects(expression, scopeOf(one, now))))
    if (met === undefined) return null
    return { run: met.run, event: 'until', name: met.name, text: until.map(({ text }) => text).join(' and ') }
  }
}

/** Seconds. Throws CkptError `usage`. */
function readInterval(text: string): number {
  const seconds = parseAge('interval', text)
  if (seconds >= shortestInterval) return seconds
  throw new CkptError('usage', `--interval ${text}: at least ${shortestInterval}s`, { hint: '--interval 500ms' })
}

/** Most likely mistyped: else an --until would be waited for in vain. Of runs without checkpoints nothing is known. */
function slipsOf(runs: readonly WatchedRun[], query: Query, until: readonly Expression[]): string[] {
  const checkpoints = runs.flatMap(({ ordered }) => ordered)
  const names = new Set([...namesInQuery(query), ...until.flatMap((expression) => [...expression.names])])
  const contradictions = query.orders.length === 0 ? [] : describeContradictions(query.orders, checkpoints)
  return [...unknownKeys(names, checkpoints).map(describeUnknownKey), ...contradictions]
}
