/** `ckpt pin`: protects checkpoints from every prune. */
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { byRun, type Named } from '../core/runs/opening/checkpoint-arguments.js'
import { isSound, type Checkpoint } from '../core/checkpoint.js'
import { parseAge } from '../core/choosing/retention/index.js'
import { bestOrder, describeOrder, metricOrders, rank, type Order } from '../core/choosing/selection/index.js'
import { CkptError } from '../core/errors.js'
import { arrange, openCheckpoint, openRun, pin } from '../core/runs/index.js'
import { noMatch } from '../cli/flags/query.js'
import type { Pin } from '../core/changes/state/index.js'
import { checkpointsArgument, stateFlag, waitFlag } from '../cli/flags/common-flags.js'
import { quoteWord } from '../core/formats/text/shell-words.js'
import { printable } from '../render/printable.js'
import { baseOf } from '../machine/working-folder.js'

export default class PinCommand extends BaseCommand<typeof PinCommand> {
  static override summary = 'Keep checkpoints from every prune'
  static override description = `A pinned checkpoint stays whatever a policy says (except with --no-protect), and list shows its mark. A pin binds ckpt
alone: nothing in the checkpoint's folder changes, and the framework knows nothing of it.`
  static override examples = [
    {
      description: 'the one in the paper',
      command: `<%= config.bin %> pin exp/save/CKPT+2026-11-02+09-14-07+00 --note 'table 2'`,
    },
    {
      description: 'the best so far',
      command: '<%= config.bin %> pin exp/save --best --min loss',
    },
    {
      description: 'until the review is over',
      command: '<%= config.bin %> pin exp/save --best --until 2027-03-01 --note review',
    },
  ]
  static override args = {
    checkpoint: checkpointsArgument,
  }
  static override flags = {
    until: Flags.string({
      helpValue: 'DATE|TIME',
      description: 'end the pin by itself: on a day (2027-03-01, UTC), at a time, or after a duration (90d)',
    }),
    best: Flags.boolean({
      description: 'pin the best checkpoint of the named run: the one that ckpt find best gives, or by --min, --max',
    }),
    min: Flags.string({ helpValue: 'KEY', description: 'with --best: the lowest of this key', dependsOn: ['best'] }),
    max: Flags.string({
      helpValue: 'KEY',
      description: 'with --best: the highest of this key',
      dependsOn: ['best'],
      exclusive: ['min'],
    }),
    note: Flags.string({ helpValue: 'TEXT', default: '', description: 'note shown beside the pin' }),
    state: stateFlag,
    wait: waitFlag,
  }

  async run(): Promise<void> {
    const until = readUntil(this.flags.until, this.now())
    const named: Named<string>[] = []
    for (const argument of this.args.checkpoint) named.push(await this.find(argument))
    const pinned: (Pin & { run: string })[] = []
    const options = this.changing(this.flags.wait, this.flags.state)
    for (const [run, names] of byRun(named)) {
      const made = await pin(this.storage, run, { names, note: this.flags.note, until }, options)
      pinned.push(...made.map((one) => ({ run, ...one })))
    }
    const document = pinned.map(({ run, name, note, time, until: end }) => ({
      run,
      name,
      note,
      time,
      until: end ?? null,
    }))
    this.answer({ pinned: document }, () => pinned.map(({ name }) => `pinned ${printable(name)}`))
  }

  private async find(argument: string): Promise<Named<string>> {
    const stateLocation = { stateDirectory: this.flags.state }
    if (!this.flags.best) {
      const { run, checkpoint } = await openCheckpoint(this.storage, argument, baseOf(argument))
      return { run: run.path, found: checkpoint.name }
    }
    const run = await openRun(this.storage, resolve(argument), stateLocation)
    const { min, max } = this.flags
    const typed: Order | undefined =
      min !== undefined ? { kind: 'min', key: min } : max !== undefined ? { kind: 'max', key: max } : undefined
    const query = { orders: typed === undefined ? [] : [typed], where: [] }
    const { ordered, warnings } = await arrange(this.storage, run.checkpoints, query, this.now())
    for (const warning of warnings) this.alert(warning)
    const best = rank(ordered, typed ?? orderOfBest(ordered, argument), this.now()).find(isSound)
    if (best === undefined) throw noMatch(run.path, ordered.length, query)
    return { run: run.path, found: best.name }
  }
}

/** Throws CkptError `usage` where several metrics or none could be meant, with a command to type. */
function orderOfBest(ordered: readonly Checkpoint[], argument: string): Order {
  try {
    return bestOrder(ordered)
  } catch (error) {
    const [first] = metricOrders(ordered)
    if (!(error instanceof CkptError) || first === undefined) throw error
    const example = `ckpt pin ${quoteWord(argument)} --best ${describeOrder(first)}`
    throw new CkptError('usage', error.message, {
      hint: `${error.hint ?? 'name one'}; as in: ${example}`,
      cause: error,
    })
  }
}

/** Unix seconds. Throws CkptError `usage` for what is not a time, or one that has passed. */
function readUntil(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d+(\.\d+)?[a-z]+$|^\d{4}-\d{2}-\d{2}/.test(text)) {
    throw new CkptError('usage', `--until takes a date or a duration, not ${JSON.stringify(text)}`, {
      hint: '--until 2027-03-01, or --until 90d',
    })
  }
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? readDate(text) : now + parseAge('until', text)
  if (Number.isNaN(date)) {
    throw new CkptError('usage', `--until: ${JSON.stringify(text)} is not a date`, {
      hint: '--until 2027-03-01, or 90d',
    })
  }
  if (date <= now)
    throw new CkptError('usage', `--until ${text} has passed`, { hint: 'name a time to come: --until 90d' })
  return date
}

/** Unix seconds of a day, which is UTC's, or of a time, this machine's where it names no zone; NaN for what is neither. */
function readDate(text: string): number {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/.exec(text)
  if (parts === null) return NaN
  // Date takes February 30 for March 2.
  const [year = NaN, month = NaN, day = NaN] = parts.slice(1).map(Number)
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day ? Date.parse(text) / 1000 : NaN
}
