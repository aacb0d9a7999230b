/** `ckpt trash restore`: puts checkpoints back into their run. */
import { dirname, join, resolve } from 'node:path'
import { Args } from '@oclif/core'
import { BaseCommand } from '../../cli/base-command.js'
import { whyFailed } from '../../core/changes/disposal/index.js'
import { findRemembered, type Named } from '../../core/runs/opening/checkpoint-arguments.js'
import { CkptError } from '../../core/errors.js'
import { readTrash, removeEmpty, stateFolderOf, trash, type TrashEntry } from '../../core/changes/state/index.js'
import { recordRemovals, restoreAndName } from '../../core/runs/index.js'
import { openRunTrash, trashElsewhere } from '../../core/runs/from-trash/run-trash.js'
import { quoteWord } from '../../core/formats/text/shell-words.js'
import { wait } from '../../machine/clock.js'
import { printable } from '../../render/printable.js'
import { describePointed } from '../../render/prune.js'
import { stateFlag, waitFlag } from '../../cli/flags/common-flags.js'

export default class TrashRestore extends BaseCommand<typeof TrashRestore> {
  static override summary = 'Move checkpoints from the trash back to where they were'
  static override description = `A restored checkpoint is exactly as it was, including its times, and what the framework keeps to name one (latest, checkpoint)
names it again unless it names a newer one. Nothing is overwritten: where the name is in use, it stays in the trash. When several had the name, the one moved last comes back; choose another by its id in trash list --json.`
  static override examples = [
    {
      description: 'by the path that it had',
      command: '<%= config.bin %> trash restore exp/save/CKPT+2026-11-02+09-14-07+00',
    },
  ]
  static override args = {
    checkpoint: Args.string({
      name: 'CHECKPOINT',
      description:
        'the path that it had, or its name or id in the trash of the run in this folder; several may be given',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  }
  static override flags = { state: stateFlag, wait: waitFlag }

  async run(): Promise<void> {
    const named: Named<TrashEntry>[] = []
    for (const argument of this.args.checkpoint) named.push(await this.findEntry(argument))
    const restored: { name: string; path: string }[] = []
    const failed: CkptError[] = []
    for (const { run, found } of named) {
      try {
        restored.push({ name: found.name, path: await this.restoreOne(run, found) })
      } catch (error) {
        if (!(error instanceof CkptError) || named.length === 1) throw error
        failed.push(error)
      }
    }
    this.failWith({ restored })
    if (failed.length > 0) {
      const lines = failed.map(({ message }) => `  ${message}`)
      throw new CkptError('partial', [`restored ${restored.length}, and ${failed.length} stay`, ...lines].join('\n'))
    }
    if (this.wantsJson) this.answer({ restored }, () => '')
    else for (const { path } of restored) this.output.value(path, '\n')
  }

  private async restoreOne(run: string, entry: TrashEntry): Promise<string> {
    return this.locked(run, this.flags, async () => {
      const state = await stateFolderOf(this.storage, run, this.flags.state)
      const options = { stateDirectory: this.flags.state, wait }
      const { path, pointed } = await restoreAndName(this.storage, run, state, entry, options)
      for (const one of pointed) this.note(printable(describePointed(one, 'now')))
      await removeEmpty(this.storage, state, trash)
      const gone = {
        what: 'restored',
        checkpoints: [entry],
        reasons: new Map<string, string>(),
        now: this.now(),
      } as const
      await recordRemovals(this.storage, state, { self: this.self, policy: 'named' }, gone)
      return path
    })
  }

  private async findEntry(argument: string): Promise<Named<TrashEntry>> {
    const named = await this.remembered(argument)
    if (named !== null) return named
    const path = await this.pathBelowOther(argument)
    if (path !== null) {
      const hint = `a checkpoint is named by the path that it had: ckpt trash restore ${quoteWord(path)}`
      throw new CkptError('no-match', `${resolve(argument)}: nothing in the trash had that name`, { hint })
    }
    const flag = await this.flagOfOther(argument)
    throw new CkptError('no-match', `${resolve(argument)}: nothing in the trash had that name`, {
      hint:
        flag === null
          ? `see what there is: ckpt trash list ${quoteWord(await this.runNear(argument))}`
          : `it lies in another state folder: ckpt trash restore ${quoteWord(argument)} ${flag}`,
    })
  }

  private remembered(argument: string): Promise<Named<TrashEntry> | null> {
    return findRemembered(this.storage, argument, '.', async (run, name) => {
      const { entries } = await readTrash(this.storage, await stateFolderOf(this.storage, run, this.flags.state))
      return entries.find((entry) => entry.name === name || entry.id === name)
    })
  }

  /** Of `NAME RUN` and `RUN NAME`: the path of NAME in that run, where its trash has it. */
  private async pathBelowOther(argument: string): Promise<string | null> {
    const { checkpoint } = this.args
    const pairs = checkpoint.flatMap((other) => [join(other, argument), join(argument, other)])
    for (const path of checkpoint.length === 2 ? pairs : []) {
      if ((await this.remembered(path)) !== null) return path
    }
    return null
  }

  /** The run that was named instead of a checkpoint, or that the name lies in; else a word that stands for it. */
  private async runNear(argument: string): Promise<string> {
    const above = dirname(argument)
    for (const path of above === '.' ? [argument, above] : [argument, above, '.']) {
      const error = await whyFailed(() => openRunTrash(this.storage, path, this.flags.state))
      if (error === null) return path
    }
    return 'RUN'
  }

  /** What names the other state folder of the run in whose trash it lies. */
  private async flagOfOther(argument: string): Promise<string | null> {
    const other = await findRemembered(this.storage, argument, '.', async (run, name) => {
      const trashes = await trashElsewhere(this.storage, run, this.flags.state)
      return trashes.find(({ entries }) => entries.some((entry) => entry.name === name || entry.id === name))
    })
    return other?.found.flag ?? null
  }
}
