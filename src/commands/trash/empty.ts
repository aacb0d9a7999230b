/** `ckpt trash empty`: deletes for good what is in the trash. */
import { Flags } from '@oclif/core'
import { BaseCommand } from '../../cli/base-command.js'
import { wait } from '../../machine/clock.js'
import { confirm } from '../../cli/questions/confirm.js'
import { CkptError } from '../../core/errors.js'
import { parseAge } from '../../core/choosing/retention/index.js'
import { emptyAndFinish, recordRemovals } from '../../core/runs/index.js'
import type { Emptied } from '../../core/changes/trash/index.js'
import type { TrashEntry } from '../../core/changes/state/index.js'
import { copyTime } from '../../machine/exact-times.js'
import { dryRunFlag, runArgument, stateFlag, waitFlag, yesFlag } from '../../cli/flags/common-flags.js'
import { renderFinished } from '../../render/prune.js'
import { renderTrash, trashDocument } from '../../render/trash.js'
import { formatSize, plural } from '../../render/units.js'
import { openRunTrash, type RunTrash } from '../../core/runs/from-trash/run-trash.js'

export default class TrashEmpty extends BaseCommand<typeof TrashEmpty> {
  static override summary = "Delete what lies in a run's trash"
  static override description =
    'Shows what goes, asks, and deletes it for good. What interrupted commands left behind goes too.'
  static override examples = [
    {
      description: 'what has lain there for a week',
      command: '<%= config.bin %> trash empty exp/save --older-than 7d --dry-run',
    },
    { description: 'in a script', command: '<%= config.bin %> trash empty exp/save --yes' },
  ]
  static override args = { run: runArgument }
  static override flags = {
    'older-than': Flags.string({ helpValue: 'AGE', description: 'only what was moved longer ago: 7d, 12h' }),
    state: stateFlag,
    wait: waitFlag,
    'dry-run': dryRunFlag,
    yes: yesFlag,
  }

  async run(): Promise<void> {
    const trash = await openRunTrash(this.storage, this.args.run, this.flags.state)
    if (this.flags['dry-run']) return this.show(trash.run, this.select(trash), null)
    await this.locked(trash.run, this.flags, async () => {
      const now = await openRunTrash(this.storage, trash.run, this.flags.state)
      const entries = this.select(now)
      if (entries.length > 0 && !this.flags.yes) await this.ask(entries)
      await this.show(now.run, entries, await this.empty(now, entries))
    })
  }

  private select({ contents }: RunTrash): readonly TrashEntry[] {
    const age = this.flags['older-than']
    const seconds = age === undefined ? 0 : parseAge('older-than', age)
    return contents.entries.filter(({ time }) => age === undefined || this.now() - time > seconds)
  }

  private async ask(entries: readonly TrashEntry[]): Promise<void> {
    if (!this.wantsJson) this.output.dataLines(renderTrash(entries, this.now()))
    const size = entries.reduce((sum, entry) => sum + entry.size, 0)
    const question = `Delete ${plural(entries.length, 'checkpoint')} (${formatSize(size)}) for good?`
    if (!(await confirm(question, '--yes'))) throw new CkptError('refused', 'Cancelled; nothing deleted.')
  }

  private async empty({ run, state }: RunTrash, entries: readonly TrashEntry[]): Promise<Emptied> {
    const emptied = await this.long('deleting', ({ signal }) =>
      emptyAndFinish(this.storage, run, state, entries, { wait, copyTime, signal }),
    )
    const age = this.flags['older-than']
    const reasons = new Map(emptied.removed.map(({ name, reason }) => [name, reason]))
    const gone = { what: 'emptied', checkpoints: emptied.removed, reasons, now: this.now() } as const
    await recordRemovals(
      this.storage,
      state,
      { self: this.self, policy: age === undefined ? 'all' : `--older-than ${age}` },
      gone,
    )
    return emptied
  }

  private async show(run: string, entries: readonly TrashEntry[], emptied: Emptied | null): Promise<void> {
    const planned = entries.reduce((sum, entry) => sum + entry.size, 0)
    const document = {
      run,
      remove: entries.map(trashDocument),
      failed: (emptied?.failed ?? []).map(({ entry, error }) => ({ name: entry.name, error: error.message })),
      freedBytes: emptied?.freedBytes ?? planned,
      applied: emptied !== null,
    }
    this.failWith(document)
    const failure = emptied === null ? null : emptyingError(emptied)
    if (failure !== null) throw failure
    this.answer(document, () => (emptied === null ? renderTrash(entries, this.now()) : describe(emptied)))
  }
}

function describe({ removed, freedBytes, finished }: Emptied): string[] {
  return [
    `deleted ${plural(removed.length, 'checkpoint')}, ${formatSize(freedBytes)} freed`,
    ...renderFinished(finished),
  ]
}

function emptyingError({ removed, failed, leftovers }: Emptied): CkptError | null {
  if (failed.length + leftovers.length === 0) return null
  const lines = [
    ...failed.map(({ entry, error }) => `  ${entry.name} stays in the trash: ${error.message}`),
    ...leftovers.map(({ path, error }) => `  ${path} is left over: ${error.message}`),
  ]
  const code = failed.some(({ error }) => error.code === 'interrupted') ? 'interrupted' : 'partial'
  return new CkptError(code, [`deleted ${removed.length}, and ${failed.length} stay`, ...lines].join('\n'), {
    hint: 'the same command again goes on where this one stopped',
  })
}
