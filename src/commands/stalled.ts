/** `ckpt stalled`: whether a metric has stopped improving, as an exit status. */
import { resolve } from 'node:path'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { describeContradictions, describeUnknownKey, unknownKeys } from '../core/choosing/selection/index.js'
import { Journal } from '../core/changes/journal/index.js'
import { stateFolderOf } from '../core/changes/state/index.js'
import { readingsOf, standingOf, toCheckpointEntry, unknownTo, wholeOldestFirst } from '../core/jobs/supervise/index.js'
import { runArgument, stateFlag } from '../cli/flags/common-flags.js'
import { printable } from '../render/printable.js'
import { formatNumber, plural } from '../render/units.js'
import { minDeltaFlag, warmupFlag } from '../cli/flags/run-flags.js'
import { toPatience } from '../cli/flags/run-plan.js'

export default class Stalled extends BaseCommand<typeof Stalled> {
  static override isReader = true
  static override summary = 'Answer by exit status whether a metric has stopped improving, for a shell loop'
  static override description = `Exit status 0: no improvement in the last --patience checkpoints. 3: not yet, or there are none at all. For example:

  until ckpt stalled exp/save --min WER --patience 5; do train one epoch; done

It records the values it has seen in the run's journal, so a prune between two epochs does not change the answer.`
  static override examples = [
    {
      description: 'two checkpoints without an improvement',
      command: '<%= config.bin %> stalled exp/save --min WER --patience 2',
    },
    {
      description: 'ignore improvements below 0.5, and the first three checkpoints',
      command: '<%= config.bin %> stalled exp/save --min WER --patience 2 --min-delta 0.5 --warmup 3',
    },
  ]
  static override args = { run: runArgument }
  static override flags = {
    min: Flags.string({ helpValue: 'KEY', description: 'the metric, which should fall', exclusive: ['max'] }),
    max: Flags.string({ helpValue: 'KEY', description: 'the metric, which should rise' }),
    patience: Flags.integer({
      helpValue: 'N',
      min: 1,
      required: true,
      description: 'this many checkpoints without an improvement',
    }),
    'min-delta': minDeltaFlag(),
    warmup: warmupFlag(),
    state: stateFlag,
  }

  async run(): Promise<void> {
    const { flags } = this
    const patience = toPatience(flags, flags.min, flags.max, ['--min', '--max'])
    if (patience === null) throw new CkptError('usage', 'by which metric?', { hint: '--min WER, or --max ACC' })
    const run = resolve(this.args.run)
    const stateLocation = { stateDirectory: flags.state }
    const checkpoints = await wholeOldestFirst(this.storage, run, stateLocation)
    const state = await stateFolderOf(this.storage, checkpoints[0]?.run ?? run, flags.state)
    const journal = await Journal.open(this.storage, state, ({ message }) => this.alert(`not remembered: ${message}`))
    await journal.addAll(unknownTo(journal.entries, checkpoints).map((one) => toCheckpointEntry(one, this.now())))
    const { key } = patience.order
    const readings = readingsOf(journal.entries, [], key)
    const slips = readings.length === 0 ? unknownKeys([key], checkpoints).map(describeUnknownKey) : []
    for (const text of [...slips, ...describeContradictions([patience.order], checkpoints)]) this.alert(printable(text))
    const values = readings.map(({ value }) => value)
    const { stalled, best, since } = standingOf(values, patience)
    const record = best === null ? null : (readings[best] ?? null)
    if (!stalled) process.exitCode = exitStatusOf['no-match']
    this.answer(
      {
        run,
        stalled,
        seen: readings.length,
        since,
        best: record === null ? null : { name: record.name, value: record.value },
      },
      () => [`${stalled ? 'stalled' : 'not stalled'}: ${describe(key, since, record)}`],
    )
  }
}

function describe(key: string, since: number, best: { readonly name: string; readonly value: number } | null): string {
  const metric = printable(key)
  if (best !== null) {
    const record = `${formatNumber(best.value)} of ${printable(best.name)}`
    return `${plural(since, 'checkpoint')} without a better ${metric} than ${record}`
  }
  return since === 0 ? `no ${metric} yet` : `${plural(since, 'checkpoint')} without any ${metric}`
}
